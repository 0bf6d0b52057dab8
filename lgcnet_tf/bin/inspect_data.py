"""Counts, classes, pictures and warnings of a data set, before a training."""

from lgcnet_tf.bin import common


def main():
    with common.quiet_start():
        from lgcnet_tf.commands.inspect_data import InspectOptions, inspect_data

    common.run(InspectOptions, inspect_data)


if __name__ == "__main__":
    main()
