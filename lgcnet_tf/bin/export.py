"""Writes a SavedModel for TensorFlow Serving."""

from lgcnet_tf.bin.common import entry_point

main = entry_point("export")

if __name__ == "__main__":
    main()
