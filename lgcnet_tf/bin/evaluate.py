"""Accuracy, size and speed of a model on a split."""

from lgcnet_tf.bin import common


def main():
    with common.quiet_start():
        from lgcnet_tf.commands.evaluate import EvaluateOptions, evaluate_model

    common.run(EvaluateOptions, evaluate_model)


if __name__ == "__main__":
    main()
