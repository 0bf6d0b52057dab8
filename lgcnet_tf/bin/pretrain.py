"""Pretrains the backbone of a genotype on classified images."""

from lgcnet_tf.bin import common


def main():
    with common.resumable():
        with common.quiet_start():
            from lgcnet_tf.commands.pretrain import PretrainOptions, pretrain

        common.run(PretrainOptions, pretrain)


if __name__ == "__main__":
    main()
