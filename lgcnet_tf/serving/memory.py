"""Memory of versions that are no longer served.

What TensorFlow loads refers to itself in circles, which Python's collection of them
would find some time, after the next version or the one after. And what is freed stays
with the process until the C library is asked to give it back.
"""

import contextlib
import ctypes
import gc
import queue
import threading
import time
import weakref
from typing import Any

THREAD_NAME = "memory"
_LATER_S = 0.5


def give_back_after(dropped: Any) -> None:
    """Gives memory back soon after nothing refers to `dropped` any more.

    That is when the last request that runs on it has ended; done in a thread of
    its own, whose name is `THREAD_NAME` and which ends with the process.
    """
    gone: queue.SimpleQueue[None] = queue.SimpleQueue()

    def wait():
        gone.get()
        time.sleep(_LATER_S)  # it is about to be taken apart: not before that is done
        give_back()

    threading.Thread(target=wait, name=THREAD_NAME, daemon=True).start()
    # A finalizer runs anywhere, in the middle of a collection too: it may start no thread
    # and take no lock, but put something here.
    weakref.finalize(dropped, gone.put, None).atexit = False


def give_back() -> None:
    """Collects circles and returns free memory to the system, where it can be."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):  # glibc alone has it
        ctypes.CDLL(None).malloc_trim(0)
