"""Measures the latency table of a search space on this device."""

from lgcnet_tf.bin import common


def main():
    with common.resumable():
        with common.quiet_start():
            from lgcnet_tf.commands.measure_latency import (
                MeasureOptions,
                measure_latency,
            )

        common.run(MeasureOptions, measure_latency)


if __name__ == "__main__":
    main()
