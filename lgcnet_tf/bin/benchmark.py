"""Times models side by side."""

from lgcnet_tf.bin.common import entry_point

main = entry_point("benchmark")

if __name__ == "__main__":
    main()
