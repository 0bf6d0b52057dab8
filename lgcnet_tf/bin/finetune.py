"""Trains the network of a genotype."""

from lgcnet_tf.bin.common import entry_point

main = entry_point("finetune")

if __name__ == "__main__":
    main()
