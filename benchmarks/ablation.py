"""How cells talk to one another: the ablation of Tables VI, VII and IX.

Searches with every mode of communication, and draws random networks from the
band of predicted latencies that the searched networks span; each setting with
several seeds, then the same finetuning and evaluation. At the end all networks
are timed in turns in one process.

    python benchmarks/ablation.py --data_dir=CAMVID_FOLDER
    python benchmarks/ablation.py --quick

Both steps are sweeps (`lgcnet-sweep`) in `--output_dir`, so the same command
goes on where it was stopped; after its end it begins anew, in another folder.
Writes `benchmarks/ablation.md`, with --quick
`OUTPUT_DIR/ablation.md`, and prints one line of JSON: for each setting mean and
standard deviation of `miou`, `params`, `predicted_ms` and `measured_ms`.
`--latency_table` saves measuring one.
"""

import argparse
import json
import pathlib
from typing import Any

from common import begin, end

from lgcnet_tf.bin import common
from lgcnet_tf.config import parse_size
from lgcnet_tf.errors import InputError
from lgcnet_tf.files import atomic_write, read_json
from lgcnet_tf.run_folder import RESULTS

MODES = ("none", "shared", "fc", "ggm", "ggm_operation")
RANDOM = "random, latency band"
BAND_MARGIN = 0.02
"""The band reaches this share beyond the searched networks' latencies."""

TINY_SPACE = {
    "num_cells": 2,
    "reduction_cells": "1",
    "fusion": "none",
    "initial_channels": 2,
}


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """The options; `--quick` changes the defaults of those not given."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--quick", action="store_true", help="toy streets, a tiny space, few trials")
    add("--output_dir", default="")
    add("--data_dir", default="", help="folder of CamVid")
    add("--latency_table", default="", help="of the space at --input_size")
    add("--dataset", default="camvid")
    add("--input_size", default="120x160")
    add("--crop_size", default="96x128")
    add("--scale_min", type=float, default=0.3)
    add("--scale_max", type=float, default=0.6)
    add("--batch_size", type=int, default=8)
    add("--search_epochs", type=int, default=5)
    add("--alpha_lr", type=float, default=0.01)
    add("--latency_weight", type=float, default=0.005)
    add("--finetune_epochs", type=int, default=15)
    add("--lr", type=float, default=0.05, help="of the finetuning")
    add("--modes", default=",".join(MODES))
    add("--seeds", default="0,1")
    add("--parallel", type=int, default=2)
    add("--repeats", type=int, default=30, help="timed images of each network")
    parser.set_defaults(space={})
    if parser.parse_args(arguments).quick:
        parser.set_defaults(
            dataset="toy_streets", input_size="32x64", crop_size="32x64",
            scale_min=0.75, scale_max=1.5, batch_size=32, search_epochs=1,
            finetune_epochs=1, modes="none,ggm", seeds="0", repeats=10, space=TINY_SPACE,
        )  # fmt: skip
    return parser.parse_args(arguments)


def write_flagfile(path: pathlib.Path, flags: dict[str, Any]) -> str:
    """Writes `--name=value` lines; returns the path as text."""
    with atomic_write(path) as temporary:
        temporary.write_text("".join(f"--{k}={v}\n" for k, v in flags.items()))
    return str(path)


TUPLES = ("reduction_cells", "fusion_taps")


def latency_table(options: argparse.Namespace, folder: pathlib.Path) -> str:
    """The table given, or one measured now."""
    from lgcnet_tf.commands.measure_latency import MeasureOptions, measure_latency
    from lgcnet_tf.run_folder import LATENCY_TABLE as TABLE

    if options.latency_table:
        return options.latency_table
    if not (folder / RESULTS).exists():
        space = {
            name: tuple(map(int, value.split(","))) if name in TUPLES else value
            for name, value in options.space.items()
        }
        measure_latency(
            MeasureOptions(
                dataset=options.dataset,
                input_size=parse_size(options.input_size),
                output_dir=str(folder),
                repeats=options.repeats,
                **({"calibration_networks": 0} if options.quick else {}),
                **space,
            )
        )
    return str(folder / TABLE)


def run_sweep(folder: pathlib.Path, **options: Any) -> list[dict[str, Any]]:
    """Runs the sweep, or what is left of it; returns its trials' rows."""
    from lgcnet_tf.commands.sweep import SweepOptions, sweep

    if (folder / RESULTS).exists():
        return read_json(folder / RESULTS)["trials"]
    return sweep(SweepOptions(output_dir=str(folder), **options))["trials"]


def main(options: argparse.Namespace) -> dict[str, Any]:
    """Runs both sweeps, times all networks, writes the table.

    Returns:
        What is printed as JSON.

    Raises:
        InputError: bad options, or a trial that failed.
    """
    from lgcnet_tf.commands.progress_bars import ProgressBars
    from lgcnet_tf.commands.sweep import PARETO
    from lgcnet_tf.figures.pareto import accuracy_latency
    from lgcnet_tf.run_folder import MODEL
    from lgcnet_tf.runtimes import get_runtime
    from lgcnet_tf.sweep.measure import measure_models
    from lgcnet_tf.sweep.table import summarize

    folder = begin(options, "runs/ablation_quick" if options.quick else "runs/ablation")
    data = {"dataset": options.dataset, "data_dir": options.data_dir}
    training = {
        **data,
        "input_size": options.input_size,
        "crop_size": options.crop_size,
        "scale_min": options.scale_min,
        "scale_max": options.scale_max,
        "batch_size": options.batch_size,
    }
    search = {
        **training,
        **options.space,
        "epochs": options.search_epochs,
        "alpha_lr": options.alpha_lr,
        "latency_weight": options.latency_weight,
        "latency_table": latency_table(options, folder / "latency"),
    }
    shared = {
        "finetune_flags": write_flagfile(
            folder / "finetune.txt",
            {
                **training,
                "epochs": options.finetune_epochs,
                "lr": options.lr,
                "validation_split": "",  # nothing is chosen by it
            },
        ),
        "evaluate_flags": write_flagfile(
            folder / "evaluate.txt",
            {**data, "split": "val", "repeats": options.repeats},
        ),
        "seeds": tuple(int(seed) for seed in options.seeds.split(",")),
        "parallel": options.parallel,
        "repeats": options.repeats,
    }
    rows = run_sweep(
        folder / "communication",
        search_flags=write_flagfile(folder / "search.txt", search),
        vary=f"communication={options.modes}",
        **shared,
    )
    low, high = latency_band([row["predicted_ms"] for row in rows])
    band = {"search_strategy": "random", "min_latency_ms": low, "max_latency_ms": high}
    drawn = run_sweep(
        folder / "random",
        search_flags=write_flagfile(folder / "random.txt", search | band),
        **shared,
    )
    rows = [{**row, "sweep": "communication"} for row in rows]
    rows += [{**row, "communication": RANDOM, "sweep": "random"} for row in drawn]
    # Networks of two sweeps were timed at two times; here all meet one machine.
    runtime = get_runtime("tensorflow_graph")
    models = {
        (row["sweep"], row["trial"]): folder
        / row["sweep"]
        / "trials"
        / row["trial"]
        / "finetune"
        / MODEL
        for row in rows
    }
    measured = measure_models(models, runtime, options.repeats, ProgressBars())
    rows = [row | measured[row["sweep"], row["trial"]] for row in rows]
    modes = (*options.modes.split(","), RANDOM)
    points = {
        mode: [
            (row["measured_ms"], row["miou"])
            for row in rows
            if row["communication"] == mode
        ]
        for mode in modes
    }
    accuracy_latency(points, folder / PARETO)
    summary = summarize(rows, [{"communication": mode} for mode in modes])
    path = pathlib.Path(__file__).with_name("ablation.md")
    if options.quick:
        path = folder / "ablation.md"
    with atomic_write(path) as temporary:
        temporary.write_text(markdown(options, rows, summary, (low, high), runtime))
    figures = {
        "benchmark": "ablation",
        "quick": options.quick,
        "dataset": options.dataset,
        "input_size": options.input_size,
        "seeds": len(shared["seeds"]),
        "band_ms": [low, high],
        "settings": {
            entry.pop("communication"): {
                name: value for name, value in entry.items() if name != "macs_std"
            }
            for entry in (dict(entry) for entry in summary)
        },
    }
    return end(folder, figures)


def latency_band(predicted_ms: list[float]) -> tuple[float, float]:
    """From the fastest to the slowest searched network, a little wider."""
    low, high = min(predicted_ms), max(predicted_ms)
    return round(low * (1 - BAND_MARGIN), 3), round(high * (1 + BAND_MARGIN), 3)


def markdown(options, rows, summary, band, runtime) -> str:
    """The table and what it was made with."""
    given = {
        name: value
        for name, value in vars(options).items()
        if name not in ("quick", "output_dir", "data_dir", "latency_table", "space")
    }
    command = " ".join(f"--{name}={value}" for name, value in given.items())
    quick = " --quick" if options.quick else ""
    lines = [
        "# Communication between cells, and random search",
        "",
        f"{options.dataset} at {options.input_size}, split `val`; "
        f"{options.search_epochs} epochs of search, {options.finetune_epochs} of "
        f"finetuning for every network, seeds {options.seeds}. Mean ± standard "
        "deviation over the seeds. Latencies are of one image on "
        f"{runtime.device}, {runtime.name}; all networks were timed in turns in one "
        "process. Random networks are drawn uniformly from those with a predicted "
        f"latency of {band[0]:g} to {band[1]:g} ms, the range of the searched ones "
        f"and {BAND_MARGIN:.0%} more.",
        "",
        f"    python benchmarks/ablation.py{quick} {command}",
        "",
        "| setting | mIoU (%) | parameters (M) | MACs (G) | predicted (ms) "
        "| measured (ms) |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {entry['communication']} | {_both(entry, 'miou', 100, 2)} "
        f"| {_both(entry, 'params', 1e-6, 3)} | {_both(entry, 'macs', 1e-9, 3)} "
        f"| {_both(entry, 'predicted_ms', 1, 2)} | {_both(entry, 'measured_ms', 1, 2)} |"
        for entry in summary
    ]
    lines += [
        "",
        "Every trial; the measured latency with its interquartile range:",
        "",
        "| setting | seed | mIoU (%) | parameters (M) | predicted (ms) "
        "| measured (ms) |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['communication']} | {row['seed']} | {100 * row['miou']:.2f} "
        f"| {row['params'] / 1e6:.3f} | {row['predicted_ms']:.2f} "
        f"| {row['measured_ms']:.2f} (IQR {row['spread_ms']:.2f}) |"
        for row in rows
    ]
    return "\n".join(lines) + "\n"


def _both(entry, name, factor, digits) -> str:
    mean, spread = entry[name], entry[f"{name}_std"]
    text = f"{mean * factor:.{digits}f}"
    return text if spread is None else f"{text} ± {spread * factor:.{digits}f}"


if __name__ == "__main__":
    with common.resumable():
        with common.quiet_start():
            import lgcnet_tf.commands.sweep  # noqa: F401
        try:
            print(json.dumps(main(parse_arguments())))
        except InputError as error:
            common.fail(str(error))
