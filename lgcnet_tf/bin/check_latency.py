"""Compares a latency table's predictions with whole networks measured here."""

from lgcnet_tf.bin.common import entry_point

main = entry_point("check_latency")

if __name__ == "__main__":
    main()
