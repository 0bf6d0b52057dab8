"""Measures the latency table of a search space on this device."""

from lgcnet_tf.bin.common import entry_point

main = entry_point("measure_latency")

if __name__ == "__main__":
    main()
