"""Draws what a run folder holds."""

from lgcnet_tf.bin import common


def main():
    with common.quiet_start():
        from lgcnet_tf.commands.plot import PlotOptions, plot

    common.run(PlotOptions, plot)


if __name__ == "__main__":
    main()
