"""Chooses among several networks of a search by training each briefly."""

from lgcnet_tf.bin.common import entry_point

main = entry_point("choose")

if __name__ == "__main__":
    main()
