"""Everything a run folder has to show."""

import contextlib
import dataclasses
import functools
import os
import pathlib
import zipfile
from collections.abc import Iterator
from typing import Any

import numpy as np

from lgcnet_tf.errors import InputError
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
from lgcnet_tf.report.evaluation import (
    Examples,
    classes_of,
    classes_section,
    confusion_section,
    examples_section,
    parts_section,
    read_named,
)
from lgcnet_tf.report.html import cards, details, figure_file, section, text, write_page
from lgcnet_tf.report.inspection import inspection_sections
from lgcnet_tf.report.search import (
    candidates_section,
    cells_section,
    choice_section,
    visited_section,
)
from lgcnet_tf.report.summary import headline
from lgcnet_tf.report.sweep import sweep_sections
from lgcnet_tf.report.training import training_sections
from lgcnet_tf.space.choices import changes, choice_lines, margins, read_probabilities
from lgcnet_tf.space.genotype import Genotype

REPORT = "report.html"
DRAWN = {
    "alphas.png",
    "cells.png",
    "choices.png",
    "fusion_cell.png",
    "pareto.png",
    "per_class_iou.png",
    "predictions.png",
    "training_curves.png",
}
"""Figures that a folder may have and that the report draws itself."""

CAPTIONS = {
    "latency.png": "Latency table",
    "training_batches.png": "What the training was given",
}
"""Captions of other pictures; the others' are their names."""


@dataclasses.dataclass(frozen=True)
class RunFiles:
    """What a run folder holds; None where it does not.

    Attributes:
        name: of the folder.
        results: `results.json`.
        genotype: `genotype.json`.
        history: `history.json`, a dict per epoch.
        alphas: `alphas.npz`: softmax(α'), (E, C) by `Skeleton.edges`.
        alphas_history: `alphas_history.npz`: the same of each epoch, (epochs, E, C).
        table: the latency table among its JSON files.
        accuracy: `accuracy.json`, the confusion matrix and each image's accuracy.
        examples, best, worst: pictures of the folders of these names.
        pictures: caption and path of the other PNG files.
        flags: text of `flags.txt`.
    """

    name: str

    results: dict[str, Any] | None
    genotype: Genotype | None
    history: list[dict[str, Any]] | None
    alphas: np.ndarray | None
    alphas_history: np.ndarray | None
    table: LatencyTable | None
    accuracy: dict[str, Any] | None
    examples: Examples
    best: Examples
    worst: Examples
    pictures: tuple[tuple[str, pathlib.Path], ...]
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
        name=folder.resolve().name,
        results=_json(folder / "results.json", dict),
        genotype=genotype,
        history=_json(folder / "history.json", list),
        alphas=_probabilities(folder / "alphas.npz", genotype, False),
        alphas_history=_probabilities(folder / "alphas_history.npz", genotype, True),
        table=_table(folder),
        accuracy=_json(folder / "accuracy.json", dict),
        examples=read_named(folder / "examples"),
        best=read_named(folder / "best"),
        worst=read_named(folder / "worst"),
        pictures=_pictures(folder),
        flags=flags.read_text() if flags.exists() else None,
    )


def write_report(run_dir: str | os.PathLike) -> pathlib.Path:
    """Writes `report.html` of what a run folder holds, in a second; draws no files.

    Raises:
        InputError: the folder is absent, or a file in it is damaged.
    """
    with _naming(run_dir):
        found = read_run(run_dir)
        return write_page(
            pathlib.Path(run_dir) / REPORT, f"Run {found.name}", report_sections(found)
        )


@contextlib.contextmanager
def _naming(run_dir: str | os.PathLike) -> Iterator[None]:
    """Has files whose contents do not fit together end in one line."""
    try:
        yield
    except InputError:
        raise
    except (
        ArithmeticError,
        AttributeError,
        LookupError,
        TypeError,
        ValueError,
    ) as error:
        reason = (str(error).splitlines() or [""])[0]
        raise InputError(
            f"{run_dir}: cannot be drawn, a file in it was changed or is damaged "
            f"({type(error).__name__}: {reason}); remove or repair it."
        ) from None
    except OSError as error:
        raise InputError(f"{run_dir}: cannot be drawn: {error}.") from None


def report_sections(found: RunFiles) -> list[str]:
    """The sections of a run's page, for one run or for several on one page."""
    results, genotype = dict(found.results or {}), found.genotype
    history, shares = found.history or [], found.alphas_history
    if genotype and "predicted_latency_ms" in genotype.provenance:
        results.setdefault(
            "predicted_latency_ms", genotype.provenance["predicted_latency_ms"]
        )
    skeleton = genotype and genotype.skeleton
    sections = []
    if headline(results):
        note = _flattered(results)
        sections.append(section("Results", cards(headline(results)), note=note))
    if lines := choice_lines(results):
        content = "".join(f'<p class="line">{text(line)}</p>' for line in lines)
        if "verdict" in results:
            content = f'<p class="line"><b>{text(results["verdict"])}</b></p>{content}'
        sections.append(section("Choice", content))
    sections += inspection_sections(results)
    sections += sweep_sections(results)
    sections += candidates_section(results)
    sections += visited_section(history)
    sections += cells_section(genotype, shares, found.table, history)
    sections += choice_section(shares, skeleton)
    sections += classes_section(results)
    sections += confusion_section(found.accuracy)
    sections += parts_section(results)
    if "dataset" in results:
        pictures = (found.best, found.worst, found.examples)
        sections += examples_section(results, found.accuracy, *pictures)
    sections += training_sections(history)
    sections += [section(name, figure_file(f, name)) for name, f in found.pictures]
    if found.flags:
        flags = f"<pre>{text(found.flags.strip())}</pre>"
        sections.append(section("Flags", details("All flags of the run", flags)))
    return sections


def plot_run(run_dir: str | os.PathLike) -> list[pathlib.Path]:
    """Draws everything a run folder supports, and `report.html` with all of it.

    Predictions, training curves, IoU per class, searched cells, fusion cell, α
    and latency table become PNG files in the folder; the report draws the same for
    itself, and shows the other PNG files that lie there.

    Returns:
        The files written, the report last.

    Raises:
        InputError: the folder is absent or has nothing to plot, or a file in
            it is damaged.
    """
    with _naming(run_dir):
        return _plot(pathlib.Path(run_dir))


def _plot(folder: pathlib.Path) -> list[pathlib.Path]:
    found = read_run(folder)
    genotype, results = found.genotype, found.results or {}
    figures = {
        "predictions.png": found.examples
        and "dataset" in results
        and (_draw_examples, (found.examples, classes_of(results))),
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
        # A search keeps the table of its costs; what measured it draws it.
        "latency.png": found.table and not genotype and (latency_bars, found.table),
    }
    if not any(figures.values()) and not found.pictures and not results:
        raise InputError(
            f"{folder}: nothing to plot. A run folder has results.json, "
            "genotype.json, history.json, alphas.npz or a latency table."
        )
    written = []
    for name, job in figures.items():
        if job:
            draw, what = job
            written.append(draw(what, folder / name))
    return [*written, write_report(folder)]


def _flattered(results: dict[str, Any]) -> str:
    """What is to be said of an evaluation on images that were trained on."""
    known, count = results.get("trained_on_these_images"), results.get("num_images")
    if not known or not count:
        return ""
    return (
        f"The network was trained on {known} of these {count} images: the figures "
        "flatter it."
    )


def _pictures(folder: pathlib.Path) -> tuple[tuple[str, pathlib.Path], ...]:
    return tuple(
        (CAPTIONS.get(path.name, path.stem.replace("_", " ").capitalize()), path)
        for path in sorted(folder.glob("*.png"))
        if path.name not in DRAWN
    )


def _json(path: pathlib.Path, kind: type):
    if not path.exists():
        return None
    value = read_json(path)
    entries = value if kind is list and isinstance(value, list) else []
    if not isinstance(value, kind) or not all(isinstance(e, dict) for e in entries):
        wanted = "a list of one object per epoch" if kind is list else "an object"
        raise InputError(f"{path}: must hold {wanted}.")
    return value


def _probabilities(path: pathlib.Path, genotype: Genotype | None, epochs: bool):
    """None too without a genotype, which says which edges there are."""
    if not path.exists():
        return None
    if genotype is None:
        if not zipfile.is_zipfile(path):
            raise InputError(f"{path}: no archive of alphas.")
        return None
    return read_probabilities(path, genotype.skeleton, epochs)


def _draw_examples(job, path: pathlib.Path) -> pathlib.Path:
    examples, info = job
    # A figure has one size of panel; the first picture's decides.
    first = next(iter(examples.values()))[0].shape
    rows = [row for row in examples.values() if row[0].shape == first]
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
