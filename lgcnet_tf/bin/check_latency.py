"""Compares a latency table's predictions with whole networks measured here."""

from lgcnet_tf.bin import common


def main():
    with common.resumable():
        with common.quiet_start():
            from lgcnet_tf.commands.check_latency import CheckOptions, check_latency

        common.run(CheckOptions, check_latency)


if __name__ == "__main__":
    main()
