"""Pretrains the backbone of a genotype on classified images."""

from lgcnet_tf.bin.common import entry_point

main = entry_point("pretrain")

if __name__ == "__main__":
    main()
