"""Waiting for the messages of calls, without letting slow senders shut out others."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from lgcnet_tf.serving.status import Code, RequestError, exhausted

_PATIENCE_S = 1.0
T = TypeVar("T")


class Receivers:
    """Lets a bounded number of calls send their messages at the same time.

    What has arrived of a message lies in memory, so that only so many may be on
    their way. While others wait for a place, the call that has been sending longest
    is cut after a second; without others it has until the timeout. Who came last
    gets the next place: those that came before may be a stranger's whom nobody
    waits for.

    Args:
        places: calls that may send at once.
        timeout_s: seconds within which a message must be there.
        max_waiting: calls that may wait for a place.
    """

    def __init__(self, places: int, timeout_s: float, max_waiting: int = 512):
        self._places, self._timeout_s = places, timeout_s
        self._max_waiting = max_waiting
        self._sending: dict[asyncio.Task, float] = {}
        self._waiting: list[asyncio.Future] = []
        self._woken = 0  # that have a place and do not know it yet

    async def receive(self, read: Callable[[], Awaitable[T]]) -> T:
        """Reads a message.

        Raises:
            RequestError: DEADLINE_EXCEEDED where it is not sent in time,
                RESOURCE_EXHAUSTED where too many wait or this one was cut for
                them.
        """
        deadline = time.monotonic() + self._timeout_s
        if len(self._sending) + self._woken >= self._places:
            await self._wait_for_a_place(deadline)
        task = asyncio.ensure_future(read())
        self._sending[task] = time.monotonic()
        try:
            done, _ = await asyncio.wait({task}, timeout=deadline - time.monotonic())
            if not done:
                raise self._too_late()
            if task.cancelled():
                raise exhausted(
                    "Others waited to send their messages, and this one took longer "
                    f"than {_PATIENCE_S:g} s."
                )
            return task.result()
        finally:
            if not task.done():
                task.cancel()
            self._sending.pop(task, None)
            self._pass_on()

    async def _wait_for_a_place(self, deadline: float) -> None:
        if len(self._waiting) >= self._max_waiting:
            raise exhausted("Too many calls wait to send their messages.")
        place = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        try:
            while not place.done():
                left = deadline - time.monotonic()
                if left <= 0:
                    raise self._too_late()
                await asyncio.wait({place}, timeout=min(left, _PATIENCE_S / 4))
                if not place.done():
                    self._cut_the_longest()
        finally:
            if place in self._waiting:
                self._waiting.remove(place)
            else:
                self._woken -= 1

    def _cut_the_longest(self) -> None:
        task = min(self._sending, key=self._sending.__getitem__, default=None)
        if task and time.monotonic() - self._sending[task] > _PATIENCE_S:
            del self._sending[task]
            task.cancel()
            self._pass_on()

    def _pass_on(self) -> None:
        while self._waiting and len(self._sending) + self._woken < self._places:
            self._waiting.pop().set_result(None)
            self._woken += 1

    def _too_late(self) -> RequestError:
        return RequestError(
            Code.DEADLINE_EXCEEDED,
            f"No message came within {self._timeout_s:g} s (--receive_timeout_s).",
        )
