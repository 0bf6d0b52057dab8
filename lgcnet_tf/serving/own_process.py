"""How a process is set up that serves and does nothing else.

One thread of it waits for all connections and answers health, status and metrics. That
it comes to its turn soon, whatever is loaded or written as JSON, is seen to here.
"""

import gc
import sys

_SWITCH_S = 0.001  # a thread of Python's that works is interrupted after it


def prepare() -> None:
    """Call it once everything is imported, before a model is loaded."""
    sys.setswitchinterval(_SWITCH_S)
    # What was imported stays. Each full collection would go through it, for half a
    # second in which no thread runs.
    gc.collect()
    gc.freeze()
