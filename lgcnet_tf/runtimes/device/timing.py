"""Timing in turns, so that a drifting machine is fair to everything.

The file also goes as it is to devices without this package (`device.time_models`), so
it imports nothing of it, and does with Python 3.9.
"""

from __future__ import annotations

import functools
import math
import statistics
import time
from collections.abc import Callable, Hashable, Mapping

import numpy as np

MIN_TIME_US = 2000.0
REFERENCE_EVERY_S = 0.25

CHAIN_TIME_US = 5000.0
CHAIN_LENGTHS = (8, 128)

_OVERHEAD_CALLS = 300


class Turns:
    """Functions that are timed in turns: each round takes one sample of every one.

    A shared machine gets slower and faster within seconds. Where each function
    had its turn at another time that would change their order; in rounds, it
    reaches all of them alike.

    Args:
        callables: functions that return when their work is done.
        warmup: calls before the first round, not counted.
        min_time_us: a function that is faster is called several times for one
            sample, which is their mean.
        between: called after each sample.
    """

    def __init__(
        self,
        callables: Mapping[Hashable, Callable[[], object]],
        warmup: int,
        min_time_us: float = MIN_TIME_US,
        between: Callable[[], object] | None = None,
    ):
        self._callables, self._between = callables, between
        self._calls = {}
        for key, function in callables.items():
            for _ in range(max(warmup, 1)):
                once_us = time_us(function)
            self._calls[key] = calls_for(once_us, min_time_us)

    def round(self) -> dict[Hashable, float]:
        """A time of each, in µs."""
        times = {}
        for key, function in self._callables.items():
            times[key] = time_us(function, self._calls[key])
            if self._between:
                self._between()
        return times


class ChainedTurns:
    """Operations that are timed in turns, without what a call costs by itself.

    A call of a graph costs by itself (arguments, waking threads) more than a
    small operation, and a network pays that once, not for each operation. So
    each sample is a difference of two calls in a row: of a loop in the graph
    that runs the operation many times, and of the same loop once. Taking
    off the time of an empty graph instead misses the waking of threads, which
    is most of it. A runtime without loops is called that often (`repeated`), and what
    a call costs is taken off.

    Args:
        loops: functions that run an operation as often as they are told.
        warmup, min_time_us, between: as for `Turns`.
        overhead_us: what each turn of a loop costs by itself.
    """

    def __init__(
        self,
        loops: Mapping[Hashable, Callable[[int], object]],
        warmup: int,
        min_time_us: float = MIN_TIME_US,
        between: Callable[[], object] | None = None,
        overhead_us: float = 0.0,
    ):
        self._chains = {key: _chain_length(loop) for key, loop in loops.items()}
        self._overhead_us = overhead_us
        callables = {}
        for key, loop in loops.items():
            callables[key, "once"] = functools.partial(loop, 1)
            callables[key, "chain"] = functools.partial(loop, 1 + self._chains[key])
        self._turns = Turns(callables, warmup, min_time_us, between)

    def round(self) -> dict[Hashable, float]:
        """A time of each, in µs; below 0 where it is lost in the noise."""
        times = self._turns.round()
        return {
            key: (times[key, "chain"] - times[key, "once"]) / chain - self._overhead_us
            for key, chain in self._chains.items()
        }


class Reference:
    """An operation timed over and over, which shows how the machine drifts.

    Args:
        function: the operation; returns when it is done.
        times_us: where its times are appended.
    """

    def __init__(self, function: Callable[[], object], times_us: list[float]):
        for _ in range(3):
            once_us = time_us(function)
        self._function, self._times_us = function, times_us
        self._calls = calls_for(once_us, MIN_TIME_US)
        self._last = -math.inf

    def __call__(self) -> None:
        """Times it if the last time is a while ago."""
        if time.monotonic() - self._last >= REFERENCE_EVERY_S:
            self._times_us.append(round(time_us(self._function, self._calls), 3))
            self._last = time.monotonic()


def calls_for(once_us: float, min_time_us: float) -> int:
    """How many calls take at least `min_time_us`."""
    return max(1, math.ceil(min_time_us / max(once_us, 1.0)))


def time_us(function: Callable[[], object], calls: int = 1) -> float:
    """Mean time of a call in µs."""
    start = time.perf_counter_ns()
    for _ in range(calls):
        function()
    return (time.perf_counter_ns() - start) / calls / 1000.0


def repeated(run: Callable[[], object]) -> Callable[[int], object]:
    """A function that calls `run` as often as it is told."""

    def loop(times):
        for _ in range(times):
            run()

    return loop


def empty_call_us(run: Callable[[], object]) -> float:
    """What a call costs by itself, in µs, where `run` has nothing to compute."""
    times = [time_us(run) for _ in range(_OVERHEAD_CALLS)]
    return statistics.median(times[len(times) // 3 :])


def _chain_length(loop):
    """So long that what is measured is far above the noise of a call."""
    shortest, longest = CHAIN_LENGTHS
    loop(1)
    once_us, chain_us = (
        min(time_us(functools.partial(loop, times), 1) for _ in range(3))
        for times in (1, 1 + shortest)
    )
    each_us = max((chain_us - once_us) / shortest, CHAIN_TIME_US / longest)
    return max(shortest, math.ceil(CHAIN_TIME_US / each_us))


def levelled_medians(times_us: Mapping[Hashable, np.ndarray]) -> dict[Hashable, float]:
    """Median times of functions that took turns, at one speed of the machine.

    Where another program halves the machine's speed for a part of the rounds, a
    plain median falls to one side for one function and to the other for the
    next. What a round did to all functions is therefore taken out first (median
    polish of the logarithms), and the median over the rounds put back.

    Args:
        times_us: (rounds,) of each, all above 0.
    """
    logs = np.log(np.stack(list(times_us.values())))
    rounds = np.zeros(logs.shape[1])
    for _ in range(10):
        functions = np.median(logs - rounds, axis=1, keepdims=True)
        rounds = np.median(logs - functions, axis=0)
    level = np.exp(np.median(logs - rounds, axis=1) + np.median(rounds))
    return dict(zip(times_us, map(float, level)))


def relative_spread(times_us) -> float:
    """Interquartile range by median."""
    low, median, high = np.percentile(times_us, (25, 50, 75))
    return float((high - low) / median) if median > 0 else 0.0
