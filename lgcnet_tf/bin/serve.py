"""Serves an exported model over gRPC."""

from lgcnet_tf.bin import common


def main():
    with common.quiet_start(backends=False):
        from lgcnet_tf.commands.serve import ServeOptions, serve

    common.run(ServeOptions, serve)


if __name__ == "__main__":
    main()
