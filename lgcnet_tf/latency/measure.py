"""Timing, interleaved so that a drifting machine is fair to everything."""

import datetime
import functools
import math
import time
from collections.abc import Callable, Hashable, Mapping

import keras
import numpy as np

from lgcnet_tf.latency.runtimes import Runtime
from lgcnet_tf.latency.table import LatencyEntry, LatencyTable, timed
from lgcnet_tf.model.network import ClassMap
from lgcnet_tf.model.operations import build_operation
from lgcnet_tf.space.skeleton import Size, Skeleton
from lgcnet_tf.space.workloads import Workload, space_id

REPEATS = 30
WARMUP = 3
MIN_TIME_US = 2000.0
CHAIN_TIME_US = 5000.0
CHAIN_LENGTHS = (8, 128)

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is, and of how much."""


def samples(
    callables: Mapping[Hashable, Callable[[], object]],
    repeats: int = REPEATS,
    warmup: int = WARMUP,
    min_time_us: float = MIN_TIME_US,
    progress: Progress | None = None,
) -> dict[Hashable, np.ndarray]:
    """Times functions in turns: each round takes one sample of every one.

    A shared machine gets slower and faster within seconds. Where each function
    had its turn at another time that would change their order; in rounds, it
    reaches all of them alike.

    Args:
        callables: functions that return when their work is done.
        repeats: number of rounds.
        warmup: calls before the first round, not counted.
        min_time_us: a function that is faster is called several times for one
            sample, which is their mean.
        progress: told about every round.

    Returns:
        (repeats,) times of a call in µs, for each key.
    """
    inner = {}
    for key, function in callables.items():
        for _ in range(max(warmup, 1)):
            once_us = _time_us(function, 1)
        inner[key] = max(1, math.ceil(min_time_us / max(once_us, 1.0)))
    times = {key: np.empty(repeats) for key in callables}
    for index in range(repeats):
        for key, function in callables.items():
            times[key][index] = _time_us(function, inner[key])
        if progress:
            progress("measuring", index + 1, repeats)
    return times


def measure(
    callables: Mapping[Hashable, Callable[[], object]],
    repeats: int = REPEATS,
    warmup: int = WARMUP,
    min_time_us: float = MIN_TIME_US,
    progress: Progress | None = None,
) -> dict[Hashable, LatencyEntry]:
    """Times of `samples`, summed up."""
    times = samples(callables, repeats, warmup, min_time_us, progress)
    return {key: summarize(values) for key, values in times.items()}


def measure_table(
    skeleton: Skeleton,
    input_size: Size,
    runtime: Runtime,
    repeats: int = REPEATS,
    warmup: int = WARMUP,
    min_time_us: float = MIN_TIME_US,
    progress: Progress | None = None,
) -> LatencyTable:
    """Measures every workload of a search space at batch 1, in its deployed form.

    A call of a graph costs by itself (arguments, waking threads) more than a
    small operation, and a network pays that once, not for each operation. So
    each sample is a difference of two calls in a row: of a loop in the graph
    that runs the operation many times, and of the same loop once. Taking
    off the time of an empty graph instead misses the waking of threads, which
    is most of it.

    Args:
        skeleton, input_size: the search space.
        runtime: what to measure on.
        repeats, warmup, min_time_us, progress: as for `samples`.
    """
    work = timed(skeleton, input_size)
    callables, chains = {}, {}
    for index, workload in enumerate(work):
        key = workload.key
        loop = runtime.compile_loop(
            build_workload(workload), (1, *workload.input_shape)
        )
        chains[key] = _chain_length(loop)
        callables[key, "once"] = functools.partial(loop, 1)
        callables[key, "chain"] = functools.partial(loop, 1 + chains[key])
        if progress:
            progress("compiling", index + 1, len(work))
    times_us = samples(callables, repeats, warmup, min_time_us, progress)
    entries = {
        key: summarize((times_us[key, "chain"] - times_us[key, "once"]) / chain)
        for key, chain in chains.items()
    }
    relative = [e.spread_us / e.median_us for e in entries.values() if e.median_us]
    return LatencyTable(
        entries=entries,
        device=runtime.device,
        runtime=runtime.name,
        runtime_version=runtime.version,
        precision=runtime.precision,
        threads=runtime.threads,
        input_size=tuple(input_size),
        skeleton=skeleton,
        space_id=space_id(skeleton, input_size),
        date=datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        noise=round(float(np.median(relative)), 4) if relative else 0.0,
    )


def measure_network(
    network: keras.Model,
    runtime: Runtime,
    repeats: int = REPEATS,
    warmup: int = WARMUP,
    argmax: bool = True,
) -> LatencyEntry:
    """Time of a whole network for one uint8 image, in µs.

    Args:
        network: has `input_size`; best in its deployed form.
        runtime: what to measure on.
        repeats, warmup: as for `samples`.
        argmax: ends with each pixel's class instead of its logits.
    """
    layer = ClassMap(network) if argmax else network
    run = runtime.compile(layer, (1, *network.input_size, 3), "uint8")
    return measure({"network": run}, repeats, warmup)["network"]


def build_workload(workload: Workload) -> keras.layers.Layer:
    """The deployed layer of a workload, its normalisation folded."""
    height, width, channels = workload.output_shape
    style = {"normalization": "folded"}
    return build_operation(
        workload.operation, channels, workload.stride, (height, width), **style
    )


def summarize(times_us: np.ndarray) -> LatencyEntry:
    """Median, interquartile range and count of samples in µs, none below 0."""
    low, median, high = np.percentile(times_us, (25, 50, 75))
    return LatencyEntry(
        median_us=round(max(float(median), 0.0), 3),
        spread_us=round(float(high - low), 3),
        count=len(times_us),
    )


def _chain_length(loop):
    """So long that what is measured is far above the noise of a call."""
    shortest, longest = CHAIN_LENGTHS
    loop(1)
    once_us, chain_us = (
        min(_time_us(functools.partial(loop, times), 1) for _ in range(3))
        for times in (1, 1 + shortest)
    )
    each_us = max((chain_us - once_us) / shortest, CHAIN_TIME_US / longest)
    return max(shortest, math.ceil(CHAIN_TIME_US / each_us))


def _time_us(function, calls):
    start = time.perf_counter_ns()
    for _ in range(calls):
        function()
    return (time.perf_counter_ns() - start) / calls / 1000.0
