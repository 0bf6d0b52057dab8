"""Searches for a target latency: does the derived network's prediction land on it?

    python benchmarks/target_latency.py --data_dir=../shared/camvid \
        --latency_table=runs/latency/latency_table.json
    python benchmarks/target_latency.py --quick

One search for each of three targets, a quarter, half and three quarters of the
way from the fastest to the slowest network of the space, with the same seed and
schedule; only `--target_latency_ms` differs. The searches stand in
`--output_dir`, and the same command goes on where it was stopped; after its end
it searches anew, in another folder. For every
target λ and the derived network's latency are printed by epoch.

The last line is JSON: `target_ms`, `predicted_ms`, `edges_changed` (edges that
are not the argmax of α', because it alone missed by more than 5 %), `argmax_ms`
(what the argmax predicts), `latency_weight` (λ in the end), and `monotone`,
whether a larger target found a slower network. `--latency_table` saves
measuring one; with --quick its times are random.
"""

import argparse
import json
import pathlib
from typing import Any

from common import begin, end, random_table

from lgcnet_tf.bin import common
from lgcnet_tf.config import parse_size
from lgcnet_tf.data import dataset_info
from lgcnet_tf.errors import InputError
from lgcnet_tf.files import read_json
from lgcnet_tf.run_folder import RESULTS
from lgcnet_tf.space.options import SpaceOptions

PLACES = (0.25, 0.5, 0.75)
TINY_SPACE = {
    "num_cells": 4,
    "reduction_cells": (2,),
    "initial_channels": 2,
    "fusion": "none",
}


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """The options; `--quick` changes the defaults of those not given."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--quick", action="store_true", help="toy streets and a tiny space")
    add("--output_dir", default="")
    add("--dataset", default="camvid")
    add("--data_dir", default="../shared/camvid")
    add("--latency_table", default="", help="of the space at --input_size")
    add("--targets", default="", help="ms, with commas between")
    add("--input_size", default="120x160")
    add("--crop_size", default="96x128")
    add("--scale_min", type=float, default=0.3)
    add("--scale_max", type=float, default=0.6)
    add("--batch_size", type=int, default=8)
    add("--epochs", type=int, default=14)
    add("--alpha_lr", type=float, default=0.01)
    add("--communication", default="ggm")
    add("--seed", type=int, default=0)
    parser.set_defaults(space={})
    if parser.parse_args(arguments).quick:
        parser.set_defaults(
            dataset="toy_streets", data_dir="", input_size="32x64", crop_size="32x64",
            scale_min=0.75, scale_max=1.5, batch_size=16, epochs=6, alpha_lr=0.03,
            space=TINY_SPACE,
        )  # fmt: skip
    return parser.parse_args(arguments)


def latency_table(options: argparse.Namespace, folder: pathlib.Path) -> str:
    """The table given, or one measured now; with --quick its times are random."""
    from lgcnet_tf.commands.measure_latency import MeasureOptions, measure_latency
    from lgcnet_tf.run_folder import LATENCY_TABLE as TABLE

    if options.latency_table:
        return options.latency_table
    if options.quick:
        size = parse_size(options.input_size)
        classes = dataset_info(options.dataset).num_classes
        skeleton = SpaceOptions(**options.space).skeleton(classes)
        if not (folder / TABLE).exists():
            random_table(skeleton, size).save(folder / TABLE)
        return str(folder / TABLE)
    if not (folder / RESULTS).exists():
        measure_latency(
            MeasureOptions(
                dataset=options.dataset,
                input_size=parse_size(options.input_size),
                output_dir=str(folder),
                repeats=20,
                **options.space,
            )
        )
    return str(folder / TABLE)


def spread_targets(run: Any) -> list[float]:
    """Targets in ms at `PLACES` of the range of the space of `run`, its options."""
    from lgcnet_tf.architecture_search.latency_target import latency_range
    from lgcnet_tf.guidance.communication import cell_kinds
    from lgcnet_tf.latency.estimate import CostModel
    from lgcnet_tf.latency.table import LatencyTable

    skeleton = run.skeleton(dataset_info(run.dataset).num_classes)
    costs = CostModel(LatencyTable.load(run.latency_table), skeleton, run.input_size)
    reductions = [spec.reduction for spec in skeleton.cells]
    low, high = latency_range(costs, cell_kinds(run.communication, reductions))
    print(f"the space reaches from {low / 1000:.4g} to {high / 1000:.4g} ms")
    return [round((low + place * (high - low)) / 1000, 3) for place in PLACES]


def main(options: argparse.Namespace) -> dict[str, Any]:
    """Runs the searches, or what is left of them.

    Returns:
        What is printed as JSON.

    Raises:
        InputError: bad options, data or table.
    """
    import dataclasses

    import keras

    from lgcnet_tf.commands.search import SearchOptions, search

    folder = begin(
        options, "runs/target_latency_quick" if options.quick else "runs/target_latency"
    )
    run = SearchOptions(
        dataset=options.dataset,
        data_dir=options.data_dir,
        input_size=parse_size(options.input_size),
        crop_size=parse_size(options.crop_size),
        scale_min=options.scale_min,
        scale_max=options.scale_max,
        batch_size=options.batch_size,
        epochs=options.epochs,
        alpha_lr=options.alpha_lr,
        communication=options.communication,
        seed=options.seed,
        pictures_every=0,
        latency_table=latency_table(options, folder / "latency"),
        **options.space,
    )
    targets = sorted(map(float, filter(None, options.targets.split(","))))
    targets = targets or spread_targets(run)
    found = []
    for target in targets:
        path = folder / f"target_{target:g}"
        if not (path / RESULTS).exists():
            keras.utils.clear_session()
            search(
                dataclasses.replace(run, target_latency_ms=target, output_dir=str(path))
            )
        found.append(read_json(path / RESULTS))
        print(f"target {target:g} ms")
        for entry in read_json(path / "history.json"):
            print(
                f"  epoch {entry['epoch']:3}  λ {entry['latency_weight']:9.3f}  "
                f"derived {entry['derived_latency_ms']:8.3f} ms  "
                f"expected {entry['expected_latency_ms']:8.3f} ms"
            )
        results = found[-1]
        print(
            f"  predicted {results['predicted_latency_ms']:.3f} ms, "
            f"{100 * (results['predicted_latency_ms'] / target - 1):+.1f} %, edges "
            f"changed {results['edges_changed_for_target']}"
        )
    predicted = [results["predicted_latency_ms"] for results in found]
    last = [results["last_epoch"] for results in found]
    figures = {
        "target_ms": targets,
        "predicted_ms": predicted,
        "edges_changed": [results["edges_changed_for_target"] for results in found],
        "argmax_ms": [entry["derived_latency_ms"] for entry in last],
        "latency_weight": [entry["latency_weight"] for entry in last],
        "monotone": all(a < b for a, b in zip(predicted, predicted[1:])),
    }
    return end(folder, figures)


if __name__ == "__main__":
    with common.resumable():
        with common.quiet_start():
            import lgcnet_tf.commands.search  # noqa: F401
        try:
            print(json.dumps(main(parse_arguments())))
        except InputError as error:
            common.fail(str(error))
