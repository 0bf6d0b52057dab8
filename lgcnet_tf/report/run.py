"""Everything a run folder has to show."""

import dataclasses
import functools
import os
import pathlib
import zipfile
from typing import Any

import numpy as np

from lgcnet_tf.data import DatasetInfo, dataset_info
from lgcnet_tf.errors import InputError
from lgcnet_tf.evaluation.examples import read_examples
from lgcnet_tf.figures.charts import (
    alpha_heatmap,
    choices_course,
    latency_bars,
    per_class_iou,
    training_curves,
)
from lgcnet_tf.figures.graphs import draw_fusion_cell, draw_genotype
from lgcnet_tf.figures.pictures import side_by_side
from lgcnet_tf.files import read_json
from lgcnet_tf.latency.table import LatencyTable
from lgcnet_tf.report.html import write_html
from lgcnet_tf.space.choices import changes, margins, probabilities_in
from lgcnet_tf.space.genotype import Genotype

REPORT = "report.html"
CAPTIONS = {
    "predictions.png": "Predictions",
    "training_curves.png": "Training",
    "per_class_iou.png": "IoU per class",
    "cells.png": "Searched cells",
    "fusion_cell.png": "Fusion cell",
    "alphas.png": "Architecture parameters",
    "choices.png": "How the choice was made",
    "latency.png": "Latency table",
}
"""The figures `plot_run` draws, in the report's order, and their captions."""


@dataclasses.dataclass(frozen=True)
class RunFiles:
    """What a run folder holds; None where it does not.

    Attributes:
        results: `results.json`.
        genotype: `genotype.json`.
        history: `history.json`, a dict per epoch.
        alphas: `alphas.npz`: softmax(α'), (E, C) by `Skeleton.edges`.
        alphas_history: `alphas_history.npz`: the same of each epoch, (epochs, E, C).
        table: the latency table among its JSON files.
        examples: pictures of the folder `examples`: images, labels, predictions.
        flags: text of `flags.txt`.
    """

    results: dict[str, Any] | None
    genotype: Genotype | None
    history: list[dict[str, Any]] | None
    alphas: np.ndarray | None
    alphas_history: np.ndarray | None
    table: LatencyTable | None
    examples: tuple[list[np.ndarray], ...] | None
    flags: str | None


def read_run(run_dir: str | os.PathLike) -> RunFiles:
    """Reads whatever there is in a run folder.

    Raises:
        InputError: no such folder, or a file in it is damaged; names it.
    """
    folder = pathlib.Path(run_dir)
    if not folder.is_dir():
        raise InputError(f"{folder}: no such run folder.")
    path, flags = folder / "genotype.json", folder / "flags.txt"
    genotype = Genotype.load(path) if path.exists() else None
    return RunFiles(
        results=_json(folder / "results.json", dict),
        genotype=genotype,
        history=_json(folder / "history.json", list),
        alphas=_probabilities(folder / "alphas.npz", genotype),
        alphas_history=_probabilities(folder / "alphas_history.npz", genotype),
        table=_table(folder),
        examples=_examples(folder / "examples"),
        flags=flags.read_text() if flags.exists() else None,
    )


def plot_run(run_dir: str | os.PathLike) -> list[pathlib.Path]:
    """Draws everything a run folder supports, and `report.html` with all of it.

    Predictions, training curves, IoU per class, searched cells, fusion cell, α
    and latency table become PNG files in the folder; the report also shows the
    other PNG files that lie there.

    Returns:
        The files written, the report last.

    Raises:
        InputError: the folder is absent or has nothing to plot, or a file in
            it is damaged.
    """
    folder = pathlib.Path(run_dir)
    found = read_run(folder)
    genotype, results = found.genotype, found.results or {}
    examples = found.examples if "dataset" in results else None
    figures = {
        "predictions.png": examples
        and (_draw_examples, (examples, _classes_of(results))),
        "training_curves.png": found.history and (training_curves, found.history),
        "per_class_iou.png": results.get("per_class_iou") and (per_class_iou, results),
        "cells.png": genotype and (draw_genotype, genotype),
        "fusion_cell.png": genotype
        and genotype.fusion
        and (draw_fusion_cell, genotype),
        "alphas.png": None
        if found.alphas is None
        else (
            functools.partial(
                alpha_heatmap, operations=genotype.skeleton.cell_operations
            ),
            genotype.skeleton.of_cells(found.alphas),
        ),
        "choices.png": None
        if found.alphas_history is None
        else (_draw_choices, (found.alphas_history, genotype.skeleton)),
        "latency.png": found.table and (latency_bars, found.table),
    }
    others = {path.name for path in folder.glob("*.png")} - CAPTIONS.keys()
    if not any(figures.values()) and not others and not results:
        raise InputError(
            f"{folder}: nothing to plot. A run folder has results.json, "
            "genotype.json, history.json, alphas.npz or a latency table."
        )
    written = []
    for name, job in figures.items():
        if job:
            draw, what = job
            written.append(draw(what, folder / name))
    pictures = [(CAPTIONS[path.name], path) for path in written]
    pictures += [
        (name.removesuffix(".png").replace("_", " ").capitalize(), folder / name)
        for name in sorted(others)
    ]
    shown = dict(results)
    if genotype and "predicted_latency_ms" in genotype.provenance:
        shown.setdefault(
            "predicted_latency_ms", genotype.provenance["predicted_latency_ms"]
        )
    report = write_html(
        folder / REPORT,
        f"Run {folder.resolve().name}",
        results=shown,
        genotype=genotype,
        history=found.history,
        flags=found.flags,
        pictures=pictures,
        course=None
        if found.alphas_history is None
        else genotype.skeleton.of_cells(found.alphas_history),
    )
    return [*written, report]


def _json(path: pathlib.Path, kind: type):
    if not path.exists():
        return None
    value = read_json(path)
    entries = value if kind is list and isinstance(value, list) else []
    if not isinstance(value, kind) or not all(isinstance(e, dict) for e in entries):
        wanted = "a list of one object per epoch" if kind is list else "an object"
        raise InputError(f"{path}: must hold {wanted}.")
    return value


def _probabilities(path: pathlib.Path, genotype: Genotype | None):
    """None too without a genotype, which says which edges there are."""
    if not path.exists():
        return None
    try:
        with np.load(path) as arrays:
            return genotype and probabilities_in(arrays, genotype.skeleton)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: no archive of alphas ({error}).") from None


def _examples(folder: pathlib.Path) -> tuple[list[np.ndarray], ...] | None:
    if not folder.is_dir():
        return None
    examples = read_examples(folder)
    return examples if examples[0] else None


def _classes_of(results: dict[str, Any]) -> DatasetInfo:
    """The classes of an evaluation; those of older ones by their data set's name."""
    if "classes" in results:
        return DatasetInfo.from_dict(results["classes"])
    return dataset_info(results["dataset"])


def _draw_examples(job, path: pathlib.Path) -> pathlib.Path:
    (images, labels, predictions), info = job
    # A figure has one size of panel; the first picture's decides.
    rows = [
        row
        for row in zip(images, labels, predictions)
        if row[0].shape == images[0].shape
    ]
    return side_by_side(*zip(*rows), info, path)


def _draw_choices(job, path: pathlib.Path) -> pathlib.Path:
    return choices_course(margins(*job), changes(*job), path)


def _table(folder: pathlib.Path) -> LatencyTable | None:
    """The latency table, whatever its name: it is known by its fields."""
    for path in sorted(folder.glob("*.json")):
        value = read_json(path)
        if isinstance(value, dict) and {"space_id", "entries"} <= value.keys():
            return LatencyTable.load(path)
    return None
