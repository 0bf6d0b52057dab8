"""Annotations of a labelling tool as a data folder."""

from lgcnet_tf.bin.common import entry_point

main = entry_point("import_data")

if __name__ == "__main__":
    main()
