"""Goes from a data folder to a network that is ready to serve."""

from lgcnet_tf.bin.common import entry_point

main = entry_point("run")

if __name__ == "__main__":
    main()
