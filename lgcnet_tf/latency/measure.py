"""Measuring operations and networks on a runtime."""

import datetime
import functools
import math
from collections.abc import Callable, Hashable, Mapping

import keras
import numpy as np

from lgcnet_tf.latency.runtimes import Runtime
from lgcnet_tf.latency.samples import SampleStore
from lgcnet_tf.latency.settings import NETWORK_REPEATS, REPEATS, WARMUP
from lgcnet_tf.latency.table import LatencyEntry, LatencyTable, timed
from lgcnet_tf.latency.timing import MIN_TIME_US, Reference, Turns, time_us
from lgcnet_tf.model.network import ClassMap, Network
from lgcnet_tf.model.operations import build_operation
from lgcnet_tf.space.genotype import Genotype
from lgcnet_tf.space.skeleton import Size, Skeleton
from lgcnet_tf.space.workloads import Workload, space_id, workloads

TOGETHER = 64
"""Networks that are in memory, and measured in turns, at once."""

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
    """Times functions in turns (`Turns`).

    Args:
        callables: functions that return when their work is done.
        repeats: number of rounds.
        warmup, min_time_us: as for `Turns`.
        progress: told about every round.

    Returns:
        (repeats,) times of a call in µs, for each key.
    """
    turns = Turns(callables, warmup, min_time_us)
    times = {key: np.empty(repeats) for key in callables}
    for index in range(repeats):
        for key, taken_us in turns.round().items():
            times[key][index] = taken_us
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
    store: SampleStore | None = None,
    batch_size: int = 1,
) -> LatencyTable:
    """Measures every workload of a search space in its deployed form.

    A call of a graph costs by itself (arguments, waking threads) more than a
    small operation, and a network pays that once, not for each operation. So
    each sample is a difference of two calls in a row: of a loop in the graph
    that runs the operation many times, and of the same loop once. Taking
    off the time of an empty graph instead misses the waking of threads, which
    is most of it. A runtime without loops is called that often, and what a call
    costs is taken off.

    Args:
        skeleton, input_size: the search space.
        runtime: what to measure on.
        repeats, warmup, min_time_us, progress: as for `samples`.
        store: holds the samples that were taken before; gets those taken now.
        batch_size: images of each call.
    """
    store = store or SampleStore()
    work = [
        w
        for w in (*timed(skeleton, input_size), workloads(skeleton, input_size).argmax)
        if len(store.operations.get(w.key, ())) < repeats
    ]
    callables, chains = {}, {}
    for index, workload in enumerate(work):
        key = workload.key
        loop = runtime.compile_loop(
            build_workload(workload), (batch_size, *workload.input_shape)
        )
        chains[key] = _chain_length(loop)
        callables[key, "once"] = functools.partial(loop, 1)
        callables[key, "chain"] = functools.partial(loop, 1 + chains[key])
        if progress:
            progress("compiling", index + 1, len(work))
    if work:
        reference = reference_of(skeleton, input_size, runtime, store)
        turns = Turns(callables, warmup, min_time_us, reference)
        done = min(len(store.operations.get(w.key, ())) for w in work)
        for index in range(done, repeats):
            times_us = turns.round()
            each_us = {
                key: (times_us[key, "chain"] - times_us[key, "once"]) / chain
                - runtime.call_overhead_us
                for key, chain in chains.items()
            }
            store.add("operations", each_us)
            if progress:
                progress("measuring", index + 1, repeats)
        store.save()
    entries = {key: summarize(times) for key, times in store.operations.items()}
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
        date=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        noise=round(float(np.median(relative)), 4) if relative else 0.0,
        reference_us=store.reference_us,
        drift=store.drift,
        batch_size=batch_size,
    )


def measure_networks(
    genotypes: Mapping[str, Genotype],
    input_size: Size,
    runtime: Runtime,
    repeats: int = NETWORK_REPEATS,
    warmup: int = WARMUP,
    progress: Progress | None = None,
    store: SampleStore | None = None,
    batch_size: int = 1,
) -> dict[str, np.ndarray]:
    """Times whole networks in turns, deployed, argmax included.

    Weights are random: they change no time.

    Args:
        genotypes: the networks by name.
        input_size: (height, width) of the images.
        runtime: what to measure on.
        repeats, warmup, progress: as for `samples`.
        store: holds the samples that were taken before; gets those taken now.
        batch_size: images of each call.

    Returns:
        (repeats,) times in µs of each.
    """
    store = store or SampleStore()
    pending = [n for n in genotypes if len(store.networks.get(n, ())) < repeats]
    for first in range(0, len(pending), TOGETHER):
        names = pending[first : first + TOGETHER]
        runs = {}
        for name in names:
            genotype = genotypes[name]
            network = Network(genotype.skeleton, input_size, genotype, "folded")
            with_weights(network)
            shape = (batch_size, *input_size, 3)
            runs[name] = runtime.compile(ClassMap(network), shape, "uint8")
            if progress:
                progress("compiling networks", first + len(runs), len(pending))
        reference = reference_of(genotype.skeleton, input_size, runtime, store)
        turns = Turns(runs, warmup, between=reference)
        done = min(len(store.networks.get(name, ())) for name in names)
        for index in range(done, repeats):
            store.add("networks", turns.round())
            if progress:
                progress("measuring networks", index + 1, repeats)
        store.save()
    return {name: np.array(store.networks[name][:repeats]) for name in genotypes}


def reference_of(
    skeleton: Skeleton, input_size: Size, runtime: Runtime, store: SampleStore
) -> Reference:
    """A convolution of the stem, timed into the store."""
    workload = workloads(skeleton, input_size).stem[1]
    run = runtime.compile(build_workload(workload), (1, *workload.input_shape))
    return Reference(run, store.reference)


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
    if workload.operation == "argmax":
        return ClassMap(keras.layers.Identity())
    layer = build_operation(
        workload.operation,
        channels,
        workload.stride,
        (height, width),
        normalization="folded",
    )
    layer.build((1, *workload.input_shape))
    return with_weights(layer)


def with_weights(layer: keras.layers.Layer) -> keras.layers.Layer:
    """Gives scales and offsets random values: runtimes leave out ones and zeros."""
    generator = np.random.default_rng(0)
    for variable in layer.variables:
        if len(variable.shape) == 1:
            variable.assign(generator.uniform(0.5, 1.5, variable.shape))
    return layer


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
        min(time_us(functools.partial(loop, times), 1) for _ in range(3))
        for times in (1, 1 + shortest)
    )
    each_us = max((chain_us - once_us) / shortest, CHAIN_TIME_US / longest)
    return max(shortest, math.ceil(CHAIN_TIME_US / each_us))
