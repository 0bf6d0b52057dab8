"""Annotations of a labelling tool as a data folder."""

from lgcnet_tf.bin import common


def main():
    with common.quiet_start():
        from lgcnet_tf.commands.import_data import ImportOptions, import_data

    common.run(ImportOptions, import_data)


if __name__ == "__main__":
    main()
