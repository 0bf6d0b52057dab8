"""One thread of the process in which all servers wait for their calls.

gRPC's asyncio wakes every loop of a process for each event of any, so that there is
one.
"""

import asyncio
import functools
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


@functools.cache
def event_loop() -> asyncio.AbstractEventLoop:
    """The loop; its thread starts with the first call and ends with the process."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="serving", daemon=True).start()
    return loop


def run(coroutine: Coroutine[Any, Any, T], timeout_s: float | None = None) -> T:
    """Runs a coroutine there and waits, in another thread, for its result."""
    future = asyncio.run_coroutine_threadsafe(coroutine, event_loop())
    return future.result(timeout_s)
