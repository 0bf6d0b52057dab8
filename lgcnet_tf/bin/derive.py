"""Derives another network from a search that has ended."""

from lgcnet_tf.bin.common import entry_point

main = entry_point("derive")

if __name__ == "__main__":
    main()
