"""Writes a SavedModel for TensorFlow Serving."""

from lgcnet_tf.bin import common


def main():
    with common.quiet_start(backends=False):
        from lgcnet_tf.commands.export import ExportOptions, export

    common.run(ExportOptions, export)


if __name__ == "__main__":
    main()
