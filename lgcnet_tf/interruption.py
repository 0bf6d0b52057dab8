"""What a run does when it is asked to stop: SIGTERM, SIGINT.

A binary installs the handlers; whoever trains says at each moment whether a
signal may end the process at once or has to wait for a step and its saving.
"""

import _thread
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator

SIGNALS = (signal.SIGTERM, signal.SIGINT)
PATIENCE_S = 2.0
"""How long the main thread may take to notice, inside of C++, that it may go."""

NOTHING_NEW = "stopped with nothing new to save; the same command goes on."

_AT_ONCE, _RAISE, _DEFER = range(3)


class Interrupted(BaseException):
    """The process was asked to stop; what is worth keeping is on disk.

    No `Exception`, so that nothing on its way takes it for a failure.
    """


class Interruption:
    """The signals of this process. Without `installed` none ever comes.

    At first a signal ends the process at once: it raises `Interrupted` in the
    main thread, and a thread of its own ends a process whose main thread is
    too long in C++ (tracing, compiling, reading) to hear of it.
    """

    def __init__(self):
        self.signal: int | None = None
        self._mode = _AT_ONCE
        self._lost = False

    @property
    def requested(self) -> bool:
        """A signal has come."""
        return self.signal is not None

    @property
    def status(self) -> int:
        """What to exit with: 0 after SIGTERM, as spot machines send it."""
        return 130 if self.signal == signal.SIGINT else 0

    def defer(self) -> None:
        """From now on a signal only sets `requested`."""
        self._mode = _DEFER

    def allow(self) -> None:
        """From now on a signal ends the process at once; so does one that came."""
        self._mode = _AT_ONCE
        if self.requested:
            raise Interrupted(NOTHING_NEW)

    @contextlib.contextmanager
    def raising(self) -> Iterator[None]:
        """Lets a signal raise `Interrupted` in the block, and no more than that.

        Whoever catches it may save; afterwards signals are deferred.
        """
        self._mode = _RAISE
        try:
            if self.requested:
                raise Interrupted(NOTHING_NEW)
            yield
        finally:
            self._mode = _DEFER

    def leave(self, message: str) -> None:
        """Raises `Interrupted`: everything is saved.

        Args:
            message: one line for the user.
        """
        self._mode = _AT_ONCE
        raise Interrupted(message)

    @contextlib.contextmanager
    def installed(self) -> Iterator[None]:
        """Handles the signals in the block; only in the main thread.

        What is raised while Python collects garbage goes no further than there: it is
        not printed then, but raised again a moment later.
        """
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        before = {number: signal.signal(number, self._handle) for number in SIGNALS}
        # Python's handlers wait for the main thread to come out of C++; the
        # number arrives in this pipe at once.
        wakeup = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        ended = threading.Event()
        watch = threading.Thread(target=self._watch, args=(reader, ended), daemon=True)
        watch.start()
        shown = sys.unraisablehook

        def hook(failed):
            if isinstance(failed.exc_value, Interrupted):
                self._lost = True
            else:
                shown(failed)

        sys.unraisablehook = hook
        try:
            yield
        finally:
            sys.unraisablehook = shown
            for number, handler in before.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(wakeup)
            ended.set()
            os.close(writer)
            watch.join()
            os.close(reader)

    def _handle(self, number, frame):
        if self.requested:
            if number == signal.SIGINT:  # asked twice: no patience left
                os._exit(130)
            return
        self.signal = number
        if self._mode != _DEFER:
            raise Interrupted(NOTHING_NEW)

    def _watch(self, reader, ended):
        while numbers := os.read(reader, 64):
            if set(numbers) & set(SIGNALS):
                break
        waited = 0.0
        while waited < PATIENCE_S:
            if ended.wait(0.1):
                return
            if self._lost:
                self._lost, self.signal = False, None
                _thread.interrupt_main(next(n for n in numbers if n in SIGNALS))
            waited = waited + 0.1 if self._mode == _AT_ONCE else 0.0
        program = os.path.basename(sys.argv[0]).removesuffix(".py")
        os.write(2, f"{program}: {NOTHING_NEW}\n".encode())
        os._exit(130 if signal.SIGINT in numbers else 0)


INTERRUPTION = Interruption()
"""This process'."""
