"""`lgcnet-search` that may kill itself, with SIGKILL, in the middle of an epoch.

Usage: worker.py EPOCH FLAG...; EPOCH counts from 0, -1 is never.
"""

import os
import signal
import sys

from lgcnet_tf.bin import common, search

if __name__ == "__main__":
    epoch = int(sys.argv.pop(1))
    with common.quiet_start(), common.without_needless_imports():
        import tensorflow as tf

        from lgcnet_tf.training.resumption import Position

    on_train_batch_end = Position.on_train_batch_end

    def die_or_go_on(position, batch, logs=None):
        if position.epoch == epoch:
            os.kill(os.getpid(), signal.SIGKILL)
        on_train_batch_end(position, batch, logs)

    Position.on_train_batch_end = die_or_go_on
    # A short run: it does not pay to optimise its graphs.
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    search.main()
