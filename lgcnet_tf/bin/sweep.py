"""Runs search, finetune and evaluate over settings and seeds."""

from lgcnet_tf.bin import common


def main():
    with common.resumable():
        with common.quiet_start():
            from lgcnet_tf.commands.sweep import SweepOptions, sweep

        common.run(SweepOptions, sweep)


if __name__ == "__main__":
    main()
