"""Trains the network of a genotype."""

from lgcnet_tf.bin import common


def main():
    with common.resumable():
        with common.quiet_start():
            from lgcnet_tf.commands.finetune import FinetuneOptions, finetune

        common.run(FinetuneOptions, finetune)


if __name__ == "__main__":
    main()
