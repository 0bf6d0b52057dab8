"""Searches a network: data set and latency table in, genotype out."""

from lgcnet_tf.bin.common import entry_point

main = entry_point("search")

if __name__ == "__main__":
    main()
