"""Runs search, finetune and evaluate over settings and seeds."""

from lgcnet_tf.bin.common import entry_point

main = entry_point("sweep")

if __name__ == "__main__":
    main()
