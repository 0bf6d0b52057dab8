"""How long a latency table takes here: some of its operations, really measured."""

import os
import resource
import sys
import time
from collections.abc import Iterator

import numpy as np

from lgcnet_tf.commands.defaults import of_data
from lgcnet_tf.commands.measure_latency import MeasureOptions
from lgcnet_tf.convert.quiet import quiet
from lgcnet_tf.data import dataset_info
from lgcnet_tf.latency.samples import SampleStore
from lgcnet_tf.latency.settings import NETWORK_REPEATS
from lgcnet_tf.latency.table import timed
from lgcnet_tf.space.workloads import workloads
from lgcnet_tf.terminal import duration_text

TIMED = 8
"""Operations that are measured, spread over all; rounds of them: `ROUNDS`."""
ROUNDS = 2
QUICK_S = 90.0


def measuring_lines(options: MeasureOptions) -> Iterator[str]:
    """What `lgcnet-measure-latency` would do, in how much memory and time.

    Raises:
        InputError: bad options, or a runtime that cannot run here.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with quiet():
        from lgcnet_tf.latency.measure import measure_networks, measure_table
        from lgcnet_tf.latency.network_pool import draw_pool, name_of

    options = of_data(options)
    classes = dataset_info(options.dataset, options.data_dir or None)
    skeleton, size = options.skeleton(classes.num_classes), options.input_size
    with quiet():
        runtime = options.make_runtime()
    work = [*timed(skeleton, size), workloads(skeleton, size).argmax]
    some = work[:: -(-len(work) // TIMED)]
    networks = options.calibration_networks
    if options.samples:
        yield (
            f"would make latency_table.json in {options.output_dir} of what "
            f"{options.samples} says"
        )
        yield "data: none is read; nothing is measured here: some seconds, some minutes of networks to draw"
        return
    if options.for_device:
        yield (
            f"would convert {len(work)} operations and {networks} networks for "
            f"{runtime.name} ({runtime.precision}) and write {options.output_dir}/device"
        )
        yield "data: none is read; nothing is timed here; converting was not timed either"
        return
    if options.quick:
        yield f"would estimate by a few whole networks and write results.json into {options.output_dir}"
        yield f"data: none is read; time: about {duration_text(QUICK_S)}, not timed here"
        return
    yield (
        f"would measure {len(work)} operations {options.repeats} times and "
        f"{options.calibration_networks} networks {NETWORK_REPEATS} times on "
        f"{runtime.name} ({runtime.precision}, {runtime.threads} threads) and write "
        f"latency_table.json into {options.output_dir}"
    )
    yield f"data: none is read, inputs of {size[0]}x{size[1]} are random; device: {runtime.device}"
    before = _memory()
    ticks = _Ticks()
    store = SampleStore()
    chosen = {w.key for w in some}
    # Those that count as measured already are left out.
    store.operations = {
        w.key: [1.0] * ROUNDS for w in work if w.key not in chosen
    }  # fmt: skip
    measure_table(
        skeleton, size, runtime, ROUNDS, options.warmup, progress=ticks, store=store,
        batch_size=options.batch_size,
    )  # fmt: skip
    after = _memory()
    round_s = ticks.of("measuring")[-1] - ticks.of("measuring")[-2]
    ready_s = ticks.of("measuring")[0] - ticks.begin - round_s
    seconds = (ready_s + options.repeats * round_s) * len(work) / len(some)
    words = f"{duration_text(seconds)} for the operations"
    if count := options.calibration_networks:
        one = draw_pool(skeleton, 0, 1)[0]
        ticks = _Ticks()
        measure_networks(
            {name_of(one): one}, size, runtime, ROUNDS, options.warmup, progress=ticks,
            batch_size=options.batch_size,
        )  # fmt: skip
        times = ticks.of("measuring networks")
        round_s = times[-1] - times[-2]
        own_s = count * (times[0] - ticks.begin - round_s + NETWORK_REPEATS * round_s)
        seconds += own_s
        words += f", {duration_text(own_s)} for the networks"
    yield (
        f"time: about {duration_text(seconds)} ({words}); {len(some)} of the operations "
        f"{'and a network ' if count else ''}were timed on this machine as it is busy now"
    )
    peak = before + (after - before) * len(work) / len(some)
    yield f"memory: about {peak / 1e9:.1f} GB, by what those operations took"


class _Ticks:
    """When a measurement told of its progress, by stage."""

    def __init__(self):
        self.begin = time.monotonic()
        self._ticks: dict[str, list[float]] = {}

    def __call__(self, stage: str, done: int, total: int) -> None:
        self._ticks.setdefault(stage, []).append(time.monotonic())

    def of(self, stage: str) -> np.ndarray:
        return np.array(self._ticks[stage])


def _memory() -> float:
    """Most bytes that this process has had."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak * (1.0 if sys.platform == "darwin" else 1024.0)
