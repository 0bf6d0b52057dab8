"""Times models side by side."""

from lgcnet_tf.bin import common


def main():
    with common.quiet_start():
        from lgcnet_tf.commands.benchmark import BenchmarkOptions, benchmark

    common.run(BenchmarkOptions, benchmark)


if __name__ == "__main__":
    main()
