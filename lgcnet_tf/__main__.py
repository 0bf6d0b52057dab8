"""`python -m lgcnet_tf COMMAND --flag=value ...`."""

from lgcnet_tf.bin.lgcnet import main

if __name__ == "__main__":
    main()
