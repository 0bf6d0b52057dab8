"""Serves an exported model over gRPC."""

from lgcnet_tf.bin.common import entry_point

main = entry_point("serve")

if __name__ == "__main__":
    main()
