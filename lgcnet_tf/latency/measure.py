"""Measuring operations and networks on a runtime."""

import datetime
from collections.abc import Callable, Hashable, Mapping

import keras
import numpy as np

from lgcnet_tf.latency.samples import SampleStore
from lgcnet_tf.latency.settings import NETWORK_REPEATS, REPEATS, WARMUP
from lgcnet_tf.latency.table import LatencyEntry, LatencyTable, timed
from lgcnet_tf.model.class_map import ClassMap
from lgcnet_tf.model.network import Network
from lgcnet_tf.model.operations import build_operation
from lgcnet_tf.model.variables import named_alike
from lgcnet_tf.runtimes.base import Runtime
from lgcnet_tf.runtimes.device.timing import MIN_TIME_US, ChainedTurns, Reference, Turns
from lgcnet_tf.space.genotype import Genotype
from lgcnet_tf.space.skeleton import Size, Skeleton
from lgcnet_tf.space.workloads import Workload, space_id, workloads

MAX_NETWORKS_IN_MEMORY = 64
"""Networks that are in memory, and measured in turns, at once."""

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

    A sample is what the operation adds to a call (`timing.ChainedTurns`).

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
        for w in table_workloads(skeleton, input_size)
        if len(store.operations.get(w.key, ())) < repeats
    ]
    loops = {}
    for index, workload in enumerate(work):
        loops[workload.key] = runtime.compile_loop(
            build_workload(workload), (batch_size, *workload.input_shape)
        )
        if progress:
            progress("compiling", index + 1, len(work))
    if work:
        reference = reference_of(skeleton, input_size, runtime, store)
        turns = ChainedTurns(
            loops, warmup, min_time_us, reference, runtime.call_overhead_us
        )
        done = min(len(store.operations.get(w.key, ())) for w in work)
        for index in range(done, repeats):
            store.add("operations", turns.round())
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
    for first in range(0, len(pending), MAX_NETWORKS_IN_MEMORY):
        names = pending[first : first + MAX_NETWORKS_IN_MEMORY]
        runs = {}
        for name in names:
            layer = build_network(genotypes[name], input_size)
            runs[name] = runtime.compile(layer, (batch_size, *input_size, 3), "uint8")
            if progress:
                progress("compiling networks", first + len(runs), len(pending))
        skeleton = genotypes[names[0]].skeleton
        reference = reference_of(skeleton, input_size, runtime, store)
        turns = Turns(runs, warmup, between=reference)
        done = min(len(store.networks.get(name, ())) for name in names)
        for index in range(done, repeats):
            store.add("networks", turns.round())
            if progress:
                progress("measuring networks", index + 1, repeats)
        store.save()
    return {name: np.array(store.networks[name][:repeats]) for name in genotypes}


def table_workloads(skeleton: Skeleton, input_size: Size) -> tuple[Workload, ...]:
    """What a table is measured of: what it has entries for, and the argmax."""
    argmax = workloads(skeleton, input_size).argmax
    return (*timed(skeleton, input_size), argmax)


def reference_workload(skeleton: Skeleton, input_size: Size) -> Workload:
    """A convolution of the stem, which is timed over and over in between."""
    return workloads(skeleton, input_size).stem[1]


def reference_of(
    skeleton: Skeleton, input_size: Size, runtime: Runtime, store: SampleStore
) -> Reference:
    """`reference_workload`, timed into the store."""
    workload = reference_workload(skeleton, input_size)
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


def build_network(genotype: Genotype, input_size: Size) -> keras.layers.Layer:
    """A network as it is deployed, argmax included; its weights are random."""
    network = Network.derived(genotype, input_size, normalization="deploy")
    with_weights(network)
    return ClassMap(network)


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
        normalization="deploy",
    )
    with named_alike():
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
