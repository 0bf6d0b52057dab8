"""Segments image files."""

from lgcnet_tf.bin.common import entry_point

main = entry_point("predict")

if __name__ == "__main__":
    main()
