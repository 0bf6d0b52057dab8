"""Draws what a run folder holds."""

from lgcnet_tf.bin.common import entry_point

main = entry_point("plot")

if __name__ == "__main__":
    main()
