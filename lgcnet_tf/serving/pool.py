"""The threads that compute, and the bounded queue before them."""

import asyncio
import collections
import threading
from collections.abc import Callable
from concurrent import futures
from typing import Any

from lgcnet_tf.serving.status import Code, RequestError, exhausted


class Job:
    """A request that waits or is computed.

    Attributes:
        future: has the result; a `RequestError` or other exception where it failed.
    """

    def __init__(self, pool: "Pool", size: int, work: Callable[["Job"], Any]):
        self.future: futures.Future = futures.Future()
        self._pool, self._size, self._work = pool, size, work
        self._stopped = threading.Event()

    def stopped(self) -> bool:
        """Whether nobody waits for it any more; long work asks now and then."""
        return self._stopped.is_set()

    async def result(self) -> Any:
        """Waits for the result without a thread; cancels the job however it ends.

        `asyncio.wrap_future` would leave a cycle that keeps the result, or an
        error with every frame it went through, until it is collected.
        """
        loop = asyncio.get_running_loop()
        ended = loop.create_future()
        self.future.add_done_callback(lambda _: loop.call_soon_threadsafe(_wake, ended))
        try:
            await ended
            return self.future.result()
        finally:
            self.cancel()
            del self  # an error's frame would keep it, and it the error

    def cancel(self) -> None:
        """Takes it out of the queue, or asks it to stop where it has begun."""
        self._stopped.set()
        self._pool._drop(self)


def _wake(ended: asyncio.Future) -> None:
    if not ended.done():  # else nobody waits any more
        ended.set_result(None)


class Pool:
    """Computes jobs in the order in which they came.

    Args:
        threads: how many at the same time.
        max_queue: jobs that may wait.
        max_bytes: bytes of the jobs that wait or are computed.
    """

    def __init__(self, threads: int, max_queue: int, max_bytes: int):
        self._max_queue, self._max_bytes = max_queue, max_bytes
        self._bytes = self._running = 0
        self._closed = False
        self._queue: collections.deque[Job] = collections.deque()
        self._changed = threading.Condition()
        for number in range(threads):
            threading.Thread(
                target=self._compute, name=f"predict-{number}", daemon=True
            ).start()

    def check(self, size: int = 0) -> None:
        """Refuses `size` more bytes where there is no room.

        Raises:
            RequestError: RESOURCE_EXHAUSTED; UNAVAILABLE once closed.
        """
        if self._closed:
            raise RequestError(Code.UNAVAILABLE, "The server is shutting down.")
        if len(self._queue) >= self._max_queue:
            raise exhausted(
                f"{self._max_queue} requests wait already (--max_queue); try later."
            )
        if self._bytes + size > self._max_bytes:
            raise exhausted(
                f"Requests of {self._bytes} bytes are here already; {self._max_bytes} "
                "is the most (--max_queue_mb); try later."
            )

    def submit(self, size: int, work: Callable[[Job], Any]) -> Job:
        """Queues a job of `size` bytes; `work` is called with it in a thread.

        Raises:
            RequestError: as `check`.
        """
        job = Job(self, size, work)
        with self._changed:
            self.check(size)
            self._bytes += size
            self._queue.append(job)
            self._changed.notify_all()
        return job

    @property
    def waiting(self) -> int:
        """Jobs in the queue."""
        return len(self._queue)

    @property
    def running(self) -> int:
        """Jobs that are computed."""
        return self._running

    def close(self, timeout_s: float) -> bool:
        """Takes no more jobs and waits for those that are here.

        Returns:
            Whether all have ended; the threads never keep a process alive.
        """
        with self._changed:
            self._closed = True
            ended = self._changed.wait_for(
                lambda: not self._queue and not self._running, timeout_s
            )
            self._queue.clear()
            self._changed.notify_all()
            return ended

    def _drop(self, job: Job) -> None:
        with self._changed:
            if job in self._queue:
                self._queue.remove(job)
                self._bytes -= job._size
                self._changed.notify_all()
        job.future.cancel()

    def _compute(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue or self._closed)
                if not self._queue:
                    return
                job = self._queue.popleft()
                self._running += 1
            try:
                if job.future.set_running_or_notify_cancel():
                    work, job._work = job._work, None
                    try:
                        result = work(job)
                    except RequestError as error:
                        # Its frames hold the request, which is not needed any more,
                        # and so do those of what it was raised from.
                        error.__context__ = None
                        job.future.set_exception(error.with_traceback(None))
                    except BaseException as error:
                        job.future.set_exception(error)
                    else:
                        job.future.set_result(result)
                        del result
            finally:
                with self._changed:
                    self._running -= 1
                    self._bytes -= job._size
                    self._changed.notify_all()
                work = None
                del job  # and with it the request's bytes
