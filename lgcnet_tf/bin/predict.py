"""Has a server segment image files."""

from lgcnet_tf.bin import common


def main():
    with common.quiet_start(backends=False):
        from lgcnet_tf.commands.predict import PredictOptions, predict

    common.run(PredictOptions, predict)


if __name__ == "__main__":
    main()
