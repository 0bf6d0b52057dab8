"""How a process is set up that serves and does nothing else.

One thread of it waits for all connections and answers health, status and metrics. That
it comes to its turn soon, whatever is computed or loaded, is what is seen to here.
"""

import contextlib
import gc
import os
import sys
import threading

_SWITCH_S = 0.001  # a thread of Python's that works is interrupted after it
_NICENESS = 5  # of TensorFlow's threads; as `nice` has it, above the process's own


def prepare() -> None:
    """Call it once, before a model is loaded and TensorFlow is used."""
    sys.setswitchinterval(_SWITCH_S)
    first = threading.Thread(target=_start_computing_threads)
    first.start()
    first.join()
    # What was imported stays: collections that go through it each time, half a second
    # long, would stop all threads.
    gc.collect()
    gc.freeze()


def _start_computing_threads() -> None:
    """Has TensorFlow start its threads, which inherit the niceness of this one.

    They never hold Python's lock, so that nobody waits for them. Linux alone has a
    niceness of threads.
    """
    import tensorflow as tf

    if sys.platform == "linux":
        me = threading.get_native_id()
        with contextlib.suppress(OSError):
            niceness = os.getpriority(os.PRIO_PROCESS, me) + _NICENESS
            os.setpriority(os.PRIO_PROCESS, me, niceness)
    tf.function(lambda: tf.random.stateless_uniform((1,), (1, 2)))()
