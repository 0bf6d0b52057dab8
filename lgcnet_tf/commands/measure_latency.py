"""Measuring the latency table of a search space on this device."""

import dataclasses
from collections.abc import Iterator
from logging import Logger
from typing import TYPE_CHECKING, Any

import numpy as np

from lgcnet_tf.commands.defaults import TOY, of_data
from lgcnet_tf.commands.finish import finish
from lgcnet_tf.commands.for_device import (
    DeviceOptions,
    from_device,
    runtime_problem,
    take_to_device,
)
from lgcnet_tf.commands.latency_range import (
    TURN,
    estimate_ranges,
    measure_on,
    range_of_table,
    suggestions,
)
from lgcnet_tf.config import option
from lgcnet_tf.data import dataset_info
from lgcnet_tf.latency.options import BatchOptions, runtime_inputs
from lgcnet_tf.latency.samples import SAMPLES, SampleStore
from lgcnet_tf.latency.settings import REPEATS, WARMUP
from lgcnet_tf.latency.table import LatencyTable
from lgcnet_tf.run_folder import LATENCY_TABLE, RunFolder
from lgcnet_tf.runtimes.device.timing import levelled_medians
from lgcnet_tf.space.options import SpaceOptions
from lgcnet_tf.space.skeleton import Skeleton

if TYPE_CHECKING:
    from lgcnet_tf.latency.device_samples import DeviceRuntime
    from lgcnet_tf.runtimes.base import Runtime

FEWEST_NETWORKS = 8

DRIFT_WARNING = 1.25
"""A drift above which a table says more of what else ran than of the device."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class MeasureOptions(SpaceOptions, BatchOptions, DeviceOptions):
    """Options of a latency table."""

    TOPIC = "Measurement"

    repeats: int = option(REPEATS, "Samples of each operation, in turns.", minimum=1)
    warmup: int = option(
        WARMUP, "Calls of each operation that do not count.", minimum=0
    )
    calibration_networks: int = option(
        32, "Whole networks that correct the table; 0 for none.", minimum=0
    )
    target_latency_ms: float = option(
        0.0,
        "A latency that a search shall have as its target: whether it is in the space's "
        "range, and with --quick which settings have it; 0 for none.",
        minimum=0,
    )
    quick: bool = option(
        False,
        "Estimate in about a minute, by a few whole networks, which latencies the space "
        "has at some input sizes and --initial_channels; writes no table.",
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
        if self.elsewhere and self.quick:
            yield f"--quick estimates on this device; leave out {self.elsewhere}."
        if self.elsewhere and (problem := runtime_problem(self.runtime)):
            yield problem
        if self.samples and self.threads:
            yield "--samples name the threads they were taken with; leave out --threads."


def measure_latency(options: MeasureOptions) -> dict[str, Any]:
    """Measures every distinct operation, then whole networks that correct them.

    Writes `latency_table.json`, but for `quick`. What was timed stands in the run
    folder, so that the same command goes on after an interruption. With `for_device`
    all is timed elsewhere (`DeviceOptions`).

    Returns:
        What `results.json` holds, or `write_device_folder`'s, which writes none.

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
    inputs = options.calibration_inputs() | options.samples_inputs()
    if options.samples_file:
        runtime, store = from_device(options, skeleton)
    elif not options.elsewhere:
        runtime, store = options.make_runtime(), None
        inputs |= runtime_inputs(runtime)
    else:
        return take_to_device(options, skeleton, inputs)
    folder = RunFolder(options, "measure_latency", inputs=inputs)
    if not named:
        folder.log.info(
            "no --dataset and no --data_dir: the classes are those of %s", TOY
        )
    if options.quick:
        return folder.finish(_estimated(options, skeleton, runtime, folder.log))
    store = store or SampleStore(folder / SAMPLES)
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
    date = runtime.date if options.elsewhere else table.date
    table = dataclasses.replace(table, classes=classes, date=date)
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
    if table.drift > DRIFT_WARNING:
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
    fastest, slowest = results["latency_range_ms"] = range_of_table(table)
    folder.log.info(
        "networks of this space take %.4g to %.4g ms by the table; a search's "
        "--target_latency_ms lies between.",
        fastest,
        slowest,
    )
    if target := options.target_latency_ms:
        if not fastest <= target <= slowest:
            folder.log.warning("%.4g ms is out of reach. %s", target, TURN)
    return finish(folder, results, draw=True)


def _estimated(
    options: MeasureOptions, skeleton: Skeleton, runtime: "Runtime", log: Logger
) -> dict[str, Any]:
    """Ranges of latency by setting, and settings for the target, said and returned."""
    from lgcnet_tf.commands.progress_bars import ProgressBars

    measure = measure_on(runtime, options.batch_size, ProgressBars())
    found = estimate_ranges(skeleton, options.input_size, measure)
    log.info("about what the networks take, estimated by whole networks:")
    for one in found:
        log.info("  %s: %.3g to %.3g ms", one.flags, one.fastest_ms, one.slowest_ms)
    results = {
        "estimates": [dataclasses.asdict(one) for one in found],
        "device": runtime.device,
        "runtime": runtime.name,
        "precision": runtime.precision,
        "threads": runtime.threads,
        "batch_size": options.batch_size,
    }
    if target := options.target_latency_ms:
        fitting = suggestions(found, target)
        results["suggestions"] = [one.flags for one in fitting]
        if fitting:
            log.info("for a target of %.4g ms:", target)
        else:
            log.warning("none of these settings has %.4g ms well inside.", target)
        for one in fitting:
            log.info("  %s", one.flags)
    return results


def _calibrated(
    table: LatencyTable,
    options: MeasureOptions,
    runtime: "Runtime | DeviceRuntime",
    store: SampleStore,
) -> LatencyTable:
    from lgcnet_tf.commands.progress_bars import ProgressBars
    from lgcnet_tf.latency.calibrate import SEED, calibrate, d_optimal_subset
    from lgcnet_tf.latency.measure import measure_networks
    from lgcnet_tf.latency.network_pool import draw_pool, name_of

    pool = draw_pool(table.skeleton, SEED)
    chosen = d_optimal_subset(table, pool, options.calibration_networks)
    if options.elsewhere:  # chosen before there was a table
        chosen = [genotype for genotype in pool if name_of(genotype) in store.networks]
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
