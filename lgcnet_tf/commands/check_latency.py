"""Does a latency table tell the truth? Predicted against measured networks."""

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from lgcnet_tf.commands.finish import finish
from lgcnet_tf.commands.for_device import (
    DeviceOptions,
    runtime_problem,
    write_device_folder,
)
from lgcnet_tf.config import option
from lgcnet_tf.errors import InputError
from lgcnet_tf.files import fingerprint
from lgcnet_tf.latency.agreement import agreement, trustworthy
from lgcnet_tf.latency.options import runtime_inputs
from lgcnet_tf.latency.samples import SAMPLES, SampleStore
from lgcnet_tf.latency.settings import NETWORK_REPEATS, WARMUP
from lgcnet_tf.latency.table import LatencyTable
from lgcnet_tf.run_folder import Inputs, RunFolder, input_file
from lgcnet_tf.runtimes.device.timing import levelled_medians, relative_spread
from lgcnet_tf.space.genotype import Genotype
from lgcnet_tf.space.workloads import workloads

if TYPE_CHECKING:
    from lgcnet_tf.latency.device_samples import DeviceRuntime, Measured
    from lgcnet_tf.latency.estimate import CostModel
    from lgcnet_tf.runtimes.base import Runtime

FIGURE = "predicted_measured.png"
ANCHORS = 6
"""Networks of the calibration that are measured again."""

_WORDS = {
    "agreement": "table",
    "at_table_speed": "at the machine's speed of then",
    "uncalibrated": "its bare medians",
}


_VERDICTS = {
    "true": "the table tells the truth.",
    "true at another speed": (
        "the table is true of the machine as it was when it was calibrated; measure "
        "it again if the machine stays as it is now."
    ),
    "false": (
        "do not rely on this table; measure it again, on an idle machine if there is "
        "one, or with more --calibration_networks."
    ),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class CheckOptions(DeviceOptions):
    """Options of a check."""

    TOPIC = "Check"

    latency_table: str = option(
        "",
        "Table to check, on its runtime, at its size.",
        needed="make one with lgcnet-measure-latency.",
    )
    networks: int = option(40, "Random networks to measure.", minimum=2)
    model: str = option("", "More, with commas between, each as in lgcnet-evaluate.")
    repeats: int = option(NETWORK_REPEATS, "Samples of each network.", minimum=1)
    warmup: int = option(WARMUP, "Calls of each that do not count.", minimum=0)
    seed: int = option(1, "Of the random networks.", minimum=1)


def check_latency(options: CheckOptions) -> dict[str, Any]:
    """Measures networks end to end and compares with what the table predicts.

    Writes `results.json` and a scatter plot.

    Returns:
        What `results.json` holds: `agreement` of all networks, by the table as it
        is, and, if it is calibrated, `uncalibrated`, by its bare medians; a row
        for each network; `speed`, how fast the machine was, relative to when the
        table was calibrated, by some networks that were measured then and now,
        and `at_table_speed`, the agreement with the measured latencies times
        that. Other programs make a shared machine slower, not the table false:
        `verdict` is `true`, `true at another speed` or `false`. With `for_device`, until
        the device's samples are there, `write_device_folder`'s instead.

    Raises:
        InputError: bad options, table or model, or a runtime that cannot run here.
    """
    from lgcnet_tf.commands.progress_bars import ProgressBars
    from lgcnet_tf.latency.estimate import CostModel
    from lgcnet_tf.latency.measure import measure_networks, summarize
    from lgcnet_tf.latency.network_pool import name_of, spread_genotypes

    options.check()
    if not options.latency_table:
        raise InputError(
            "--latency_table is missing: make one with lgcnet-measure-latency."
        )
    table = LatencyTable.load(options.latency_table)
    costs = CostModel(table, table.skeleton, table.input_size)
    named = _searched(options, costs)
    bare = dataclasses.replace(table, calibration=None)
    bare_costs = CostModel(bare, table.skeleton, table.input_size)
    # Drawn by the bare medians: the calibration must not choose its own test.
    seen = {name_of(genotype) for genotype in named.values()}
    if table.calibration:
        seen |= set(table.calibration.networks)
    drawn = spread_genotypes(bare_costs, options.networks, options.seed, without=seen)
    networks = {name_of(genotype): genotype for genotype in drawn} | named
    anchors = _anchors(table)
    inputs = _inputs(options)
    if not options.elsewhere:
        runtime, store = _runtime_of(table), None
        inputs |= runtime_inputs(runtime)
    elif problem := runtime_problem(table.runtime):
        raise InputError(problem)
    elif options.samples_file:
        runtime, store = _from_device(options, table, networks | anchors)
    else:
        folder = RunFolder(options, "check_latency", inputs=inputs)
        return write_device_folder(
            folder, _measured(table), table.skeleton, (), networks | anchors, repeats=0,
            network_repeats=options.repeats, warmup=options.warmup,
            threads=table.threads,
        )  # fmt: skip
    folder = RunFolder(options, "check_latency", inputs=inputs)
    for line in differences(table, runtime):
        folder.log.warning("%s: %s", options.latency_table, line)
    store = store or SampleStore(folder / SAMPLES)
    times_us = measure_networks(
        networks | anchors,
        table.input_size,
        runtime,
        options.repeats,
        options.warmup,
        progress=ProgressBars(),
        store=store,
        batch_size=table.batch_size,
    )
    rows = []
    medians_us = levelled_medians(times_us)
    for name, genotype in networks.items():
        spread_us = summarize(times_us[name]).spread_us
        rows.append(
            {
                "network": name,
                "searched": name in named,
                "predicted_ms": costs.predicted_latency(genotype) / 1000.0,
                "uncalibrated_ms": bare_costs.predicted_latency(genotype) / 1000.0,
                "measured_ms": medians_us[name] / 1000.0,
                "spread_ms": spread_us / 1000.0,
            }
        )
    spreads = [relative_spread(times) for times in times_us.values()]
    predicted, measured = _columns(rows, "predicted_ms")
    results = {"agreement": agreement(predicted, measured)}
    speed = None
    if table.calibration:
        results["uncalibrated"] = agreement(*_columns(rows, "uncalibrated_ms"))
    if anchors:
        then_us = table.calibration.networks
        ratios = [then_us[name] / medians_us[name] for name in anchors]
        speed = float(np.median(ratios))
        at_speed = agreement(predicted, speed * np.array(measured))
        results["at_table_speed"] = at_speed
    results |= {
        "verdict": _verdict(results),
        "speed": speed and round(speed, 4),
        "drift": store.drift,
        "noise": round(float(np.median(spreads)), 4),
        "latency_table": table.table_id,
        "calibrated": table.calibration is not None,
        "device": runtime.device,
        "runtime": runtime.name,
        "precision": runtime.precision,
        "threads": runtime.threads,
        "batch_size": table.batch_size,
        "input_size": list(table.input_size),
        "networks": rows,
    }
    _draw(results, folder / FIGURE)
    for line in summary_lines(results):
        print(line)
    return finish(folder, results)


def differences(table: LatencyTable, runtime: "Runtime | DeviceRuntime") -> list[str]:
    """In what a table was measured otherwise than networks are here."""
    lines = []
    for name in ("device", "runtime_version", "precision", "threads"):
        then = getattr(table, name)
        now = getattr(runtime, name.removeprefix("runtime_"))
        if then != now:
            words = name.replace("_", " ")
            lines.append(f"measured with {words} {then}, here it is {now}")
    if workloads(table.skeleton, table.input_size).argmax.key not in table.entries:
        lines.append("measured without the argmax, which its predictions lack")
    return lines


def summary_lines(results: dict[str, Any]) -> list[str]:
    """The figures of `results.json` in words."""
    lines = []
    for key, words in _WORDS.items():
        if figures := results.get(key):
            median, p90, bias = (
                100.0 * figures[name]
                for name in ("median_abs_error", "p90_abs_error", "bias")
            )
            lines.append(
                f"{words}: Spearman {figures['spearman']:.3f}, Pearson "
                f"{figures['pearson']:.3f}, error {median:.1f} % (median), "
                f"{p90:.1f} % (p90), bias {bias:+.1f} %"
            )
    for row in results["networks"]:
        if row["searched"]:
            error = row["predicted_ms"] / row["measured_ms"] - 1.0
            lines.append(
                f"{row['network']}: predicted {row['predicted_ms']:.2f} ms, measured "
                f"{row['measured_ms']:.2f} ms, {100 * error:+.1f} %"
            )
    if results["speed"]:
        lines.append(
            f"the machine's speed: {results['speed']:.2f} of that when the table was "
            f"calibrated; drift {results['drift']:.2f}"
        )
    return [*lines, f"verdict: {_VERDICTS[results['verdict']]}"]


def _verdict(results: dict[str, Any]) -> str:
    if trustworthy(results["agreement"]):
        return "true"
    at_speed = results.get("at_table_speed")
    return "true at another speed" if at_speed and trustworthy(at_speed) else "false"


def _runtime_of(table: LatencyTable) -> "Runtime":
    from lgcnet_tf.runtimes import get_runtime
    from lgcnet_tf.runtimes.base import available_cpus

    threads = None if table.threads == available_cpus() else table.threads
    return get_runtime(table.runtime, threads, table.precision)


def _measured(table: LatencyTable) -> "Measured":
    from lgcnet_tf.latency.device_samples import Measured

    size, batch = table.input_size, table.batch_size
    return Measured.of(table.runtime, table.precision, table.skeleton, size, batch)


def _from_device(
    options: CheckOptions, table: LatencyTable, networks: Mapping[str, Genotype]
) -> tuple["DeviceRuntime", SampleStore]:
    from lgcnet_tf.latency.device_samples import read_samples

    return read_samples(
        options.samples_file, _measured(table), (), networks, len(networks), 0,
        options.repeats,
    )  # fmt: skip


def _inputs(options: CheckOptions) -> Inputs:
    from lgcnet_tf.model.zoo import model_path

    models = [model_path(name, "genotype.json") for name in _model_names(options)]
    found = input_file("--latency_table", options.latency_table)
    if models:
        found["--model"] = {str(path): fingerprint(path) for path in models}
    return found | options.samples_inputs()


def _model_names(options: CheckOptions) -> list[str]:
    return list(filter(None, map(str.strip, options.model.split(","))))


def _searched(options: CheckOptions, costs: "CostModel") -> dict[str, Genotype]:
    from lgcnet_tf.model.zoo import load_genotype

    found = {}
    for name in _model_names(options):
        genotype = load_genotype(name)
        if genotype.skeleton != costs.skeleton:
            raise InputError(
                f"{name}: belongs to another search space than the table; leave it out, "
                "or measure a table of its space with lgcnet-measure-latency."
            )
        found[name] = genotype
    return found


def _columns(rows, predicted):
    return [r[predicted] for r in rows], [r["measured_ms"] for r in rows]


def _anchors(table: LatencyTable) -> dict[str, Genotype]:
    """A few of the calibration's networks, from fast to slow."""
    from lgcnet_tf.latency.calibrate import SEED
    from lgcnet_tf.latency.network_pool import draw_pool, evenly_spaced, name_of

    if not table.calibration:
        return {}
    then_us = table.calibration.networks
    known = {name_of(found): found for found in draw_pool(table.skeleton, SEED)}
    names = [name for name in then_us if name in known]
    if not names:
        return {}
    chosen = evenly_spaced(np.array([then_us[name] for name in names]), ANCHORS)
    return {names[place]: known[names[place]] for place in chosen}


def _draw(results, path):
    from lgcnet_tf.figures.fidelity import predicted_measured

    groups = {"random networks": [], "searched": []}
    for row in results["networks"]:
        group = groups["searched" if row["searched"] else "random networks"]
        group.append((row["predicted_ms"], row["measured_ms"]))
    height, width = results["input_size"]
    figures = results["agreement"]
    title = (
        f"{results['runtime']}, {height}×{width}: Spearman {figures['spearman']:.3f}, "
        f"error {100 * figures['median_abs_error']:.1f} %"
    )
    predicted_measured(groups, path, title)
