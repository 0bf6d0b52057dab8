"""Counts, pictures and warnings of a data set before it is trained on."""

from lgcnet_tf.bin.common import entry_point

main = entry_point("inspect_data")

if __name__ == "__main__":
    main()
