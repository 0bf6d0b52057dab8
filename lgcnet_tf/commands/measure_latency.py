"""Measuring the latency table of a search space on this device."""

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from lgcnet_tf.commands.defaults import TOY, of_data
from lgcnet_tf.config import option
from lgcnet_tf.data import dataset_info
from lgcnet_tf.latency.options import BatchOptions, runtime_inputs
from lgcnet_tf.latency.samples import SAMPLES, SampleStore
from lgcnet_tf.latency.settings import REPEATS, WARMUP
from lgcnet_tf.latency.table import LatencyTable
from lgcnet_tf.latency.timing import levelled_medians
from lgcnet_tf.run_folder import LATENCY_TABLE, RunFolder
from lgcnet_tf.space.options import SpaceOptions

if TYPE_CHECKING:
    from lgcnet_tf.latency.runtimes import Runtime

FEWEST_NETWORKS = 8

RESTLESS = 1.25
"""A drift above which a table says more of what else ran than of the device."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class MeasureOptions(SpaceOptions, BatchOptions):
    """Options of a latency table."""

    TOPIC = "Measurement"

    repeats: int = option(REPEATS, "Samples of each operation, in turns.", minimum=1)
    warmup: int = option(
        WARMUP, "Calls of each operation that do not count.", minimum=0
    )
    calibration_networks: int = option(
        32, "Whole networks that correct the table; 0 for none.", minimum=0
    )

    def problems(self) -> Iterator[str]:
        yield from super().problems()
        named = self.data_dir or self.dataset not in ("", TOY)
        if named and self.input_size is None:
            yield (
                "--input_size is missing: the size at which the network will see the "
                "images, HxW, such as 360x480."
            )
        if 0 < self.calibration_networks < FEWEST_NETWORKS:
            yield (
                f"--calibration_networks must be 0 or at least {FEWEST_NETWORKS}. "
                f"Received: {self.calibration_networks}"
            )


def measure_latency(options: MeasureOptions) -> dict[str, Any]:
    """Measures every distinct operation, then whole networks that correct them.

    Writes `latency_table.json`. What was timed stands in the run folder, so that
    the same command goes on after an interruption.

    Returns:
        What `results.json` holds.

    Raises:
        InputError: bad options, or a runtime that cannot run here.
    """
    from lgcnet_tf.commands.progress_bars import ProgressBars
    from lgcnet_tf.latency.measure import measure_table

    options.check()
    named = options.dataset or options.data_dir
    options = of_data(options)
    classes = dataset_info(options.dataset, options.data_dir or None)
    skeleton = options.skeleton(classes.num_classes)
    runtime = options.make_runtime()
    inputs = options.calibration_inputs() | runtime_inputs(runtime)
    folder = RunFolder(options, "measure_latency", inputs=inputs)
    if not named:
        folder.log.info(
            "no --dataset and no --data_dir: the classes are those of %s", TOY
        )
    store = SampleStore(folder / SAMPLES)
    table = measure_table(
        skeleton,
        options.input_size,
        runtime,
        options.repeats,
        options.warmup,
        progress=ProgressBars(),
        store=store,
        batch_size=options.batch_size,
    )
    table = dataclasses.replace(table, classes=classes)
    if options.calibration_networks:
        table = _calibrated(table, options, runtime, store)
    table.save(folder / LATENCY_TABLE)
    folder.log.info(
        "noise: the times of an operation spread by %.0f %% of their median "
        "(interquartile range); one tenth of the time the machine was slower than "
        "usual by %.0f %% or more.",
        100.0 * table.noise,
        100.0 * (table.drift - 1.0),
    )
    if table.drift > RESTLESS:
        folder.log.warning(
            "the machine's speed changed while it was measured: where it is usually "
            "idle, measure again then, in another folder."
        )
    results = {
        "table": LATENCY_TABLE,
        "table_id": table.table_id,
        "operations": len(table.entries),
        "noise": table.noise,
        "drift": table.drift,
        "device": table.device,
        "runtime": table.runtime,
        "precision": table.precision,
        "threads": table.threads,
        "batch_size": table.batch_size,
    }
    if found := table.calibration:
        folder.log.info(
            "calibrated by %d networks: median error %.1f %% before, %.1f %% after "
            "(each network by a fit to the others).",
            len(found.networks),
            100.0 * found.error_before,
            100.0 * found.error_after,
        )
        results["calibration"] = {
            name: value
            for name, value in dataclasses.asdict(found).items()
            if name != "times_us"
        } | {"networks": len(found.networks)}
    return folder.finish(results)


def _calibrated(
    table: LatencyTable, options: MeasureOptions, runtime: "Runtime", store: SampleStore
) -> LatencyTable:
    from lgcnet_tf.commands.progress_bars import ProgressBars
    from lgcnet_tf.latency.calibrate import SEED, calibrate, choose
    from lgcnet_tf.latency.draw import draw_pool, name_of
    from lgcnet_tf.latency.measure import measure_networks

    pool = draw_pool(table.skeleton, SEED)
    chosen = choose(table, pool, options.calibration_networks)
    networks = {name_of(genotype): genotype for genotype in chosen}
    times_us = measure_networks(
        networks,
        table.input_size,
        runtime,
        warmup=options.warmup,
        progress=ProgressBars(),
        store=store,
        batch_size=table.batch_size,
    )
    medians_us = np.array(list(levelled_medians(times_us).values()))
    table = dataclasses.replace(
        table, reference_us=store.reference_us, drift=store.drift
    )
    return calibrate(table, list(networks.values()), medians_us)
