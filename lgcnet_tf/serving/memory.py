"""Memory of versions that are no longer served.

What TensorFlow loads refers to itself in circles, which Python's collection of them
would find some time, after the next version or the one after. And what is freed stays
with the process until the C library is asked to give it back.
"""

import contextlib
import ctypes
import gc
import threading
import weakref
from typing import Any

THREAD_NAME = "memory"
_LATER_S = 0.5


def give_back_after(dropped: Any) -> None:
    """Gives memory back soon after nothing refers to `dropped` any more.

    That is when the last request that runs on it has ended; done in a thread of
    its own, whose name is `THREAD_NAME`.
    """
    # Called when it is about to be taken apart: not before that is done.
    later = threading.Timer(_LATER_S, give_back)
    later.name, later.daemon = THREAD_NAME, True
    weakref.finalize(dropped, later.start).atexit = False


def give_back() -> None:
    """Collects circles and returns free memory to the system, where it can be."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):  # glibc alone has it
        ctypes.CDLL(None).malloc_trim(0)
