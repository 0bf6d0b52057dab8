"""Accuracy, size and speed of a model on a split."""

from lgcnet_tf.bin.common import entry_point

main = entry_point("evaluate")

if __name__ == "__main__":
    main()
