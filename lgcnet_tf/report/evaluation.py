"""What a report says of an evaluation: which classes, which images, which part."""

import math
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from lgcnet_tf.data import DatasetInfo, dataset_info
from lgcnet_tf.errors import InputError
from lgcnet_tf.evaluation.examples import (
    example_name,
    example_names,
    read_examples,
)
from lgcnet_tf.model.cards import Accuracy
from lgcnet_tf.model.zoo import load_card, zoo_names
from lgcnet_tf.report.html import bar_table, image, section, table, text
from lgcnet_tf.report.summary import class_rows

MOST_CLASSES = 40
"""Classes of the largest confusion matrix that is shown as a whole."""

MIXED_UP = 8
"""Pairs of classes that are listed."""

SHOWN_WIDTH = 420
"""Pixels of the widest picture of an example: there are up to a few dozen."""

ERROR_COLORS = {
    "right": (214, 226, 236),
    "an error": (198, 40, 40),
    "not labelled": (70, 74, 78),
}
"""Colours of an error map, by what they say."""

Examples = Mapping[str, tuple[np.ndarray, np.ndarray, np.ndarray]]
"""By the name of its files: image, label and prediction."""


def classes_section(results: Mapping[str, Any]) -> list[str]:
    """A bar for each class, with the zoo's figure for the same classes beside it."""
    if not class_rows(results):
        return []
    ious = results["per_class_iou"]
    zoo, known = _zoo_accuracy(results)
    rows = []
    for name, value in class_rows(results):
        iou, other = ious[name], known.get(name)
        bar = f'<i style="width:{100 * iou:.1f}%"></i>' if is_number(iou) else ""
        mark = f'<b style="left:{100 * other:.1f}%"></b>' if is_number(other) else ""
        said = f"{100 * other:.2f} %" if is_number(other) else "-"
        rows.append(
            f'<tr><th scope="row">{text(name)}</th><td class="number">{text(value)}</td>'
            + (f'<td class="number">{said}</td>' if known else "")
            + f'<td class="bar"><div>{bar}{mark}</div></td></tr>'
        )
    head = '<th scope="col">class</th><th scope="col">IoU</th>'
    head += '<th scope="col">zoo</th>' if known else ""
    found = (
        f'<table><thead><tr>{head}<td class="bar"></td></tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>"
    )
    note = f"The mark on a bar is the zoo's network {zoo}." if known else ""
    return [section("IoU per class", found, note=note)]


def is_number(value: Any) -> bool:
    """Whether it can be drawn: no None, no NaN."""
    return isinstance(value, int | float) and math.isfinite(value)


def _zoo_accuracy(results) -> tuple[str, Mapping[str, float | None]]:
    """The zoo's network of the same data set and classes, and its IoU per class."""
    if results.get("model") in zoo_names():  # it would be compared with itself
        return "", {}
    for name in zoo_names():
        card = load_card(name)
        for found in (card.left_out, card.val):
            same = found and set(found.per_class_iou) == set(results["per_class_iou"])
            if same and card.dataset == results.get("dataset"):
                return f"{name}, {_images_of(found)}", found.per_class_iou
    return "", {}


def _images_of(found: Accuracy) -> str:
    groups = f" of {', '.join(found.groups)}" if found.groups else ""
    return f"on {found.frames} images{groups} of its splits {found.split}"


def confusion_section(accuracy: Mapping[str, Any] | None) -> list[str]:
    """The confusion matrix, each row in shares of its class's pixels."""
    if not accuracy or not accuracy.get("confusion"):
        return []
    names = accuracy["class_names"]
    counts = np.array(accuracy["confusion"], np.float64)
    totals = counts.sum(1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros_like(counts), where=totals > 0)
    parts = []
    if len(names) <= MOST_CLASSES:
        parts.append(_matrix(names, counts, shares))
    mixed = shares - np.diag(np.diag(shares))
    order = np.argsort(-mixed, axis=None)[:MIXED_UP]
    pairs = [np.unravel_index(place, mixed.shape) for place in order]
    rows = [
        (names[i], names[j], f"{mixed[i, j]:.1%}", f"{int(counts[i, j]):,}")
        for i, j in pairs
        if mixed[i, j] > 0
    ]
    if rows:
        parts.append("<h3>Most often taken for another</h3>")
        parts.append(table(("class", "taken for", "of its pixels", "pixels"), rows))
    note = (
        "Rows are true classes, columns predicted ones: which share of a class's "
        "pixels is taken for which class."
    )
    return [section("What is taken for what", *parts, note=note)]


def _matrix(names, counts, shares) -> str:
    columns = "".join(
        f'<th scope="col"><span>{text(name)}</span></th>' for name in names
    )
    rows = []
    for i, name in enumerate(names):
        cells = []
        for j, other in enumerate(names):
            share = shares[i, j]
            said = f"{100 * share:.0f}" if share >= 0.005 else "·" if share else ""
            strong = ' class="strong"' if share > 0.5 else ""
            cells.append(
                f'<td{strong} style="--p:{share:.2f}" title="{text(name)} taken for '
                f'{text(other)}: {share:.2%}, {int(counts[i, j]):,} pixels">{said}</td>'
            )
        rows.append(f'<tr><th scope="row">{text(name)}</th>{"".join(cells)}</tr>')
    return (
        f'<table class="confusion"><caption>Confusion matrix, %</caption><thead><tr>'
        f"<td></td>{columns}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    )


def examples_section(
    results: Mapping[str, Any],
    accuracy: Mapping[str, Any] | None,
    best: Examples,
    worst: Examples,
    others: Examples,
) -> list[str]:
    """Images with labels, predictions and error maps: best, worst and some others."""
    if not best and not worst and not others:
        return []
    accuracy = accuracy or {}
    info = classes_of(results)
    scores = {
        example_name(entry["name"]): entry for entry in accuracy.get("images", ())
    }
    found = []
    for title, examples, kind in (
        ("The worst images", worst, "worst"),
        ("The best images", best, "best"),
        ("Images from all over the split", others, ""),
    ):
        if not examples:
            continue
        ranked = [example_name(name) for name in accuracy.get(kind, ())]
        names = [name for name in ranked if name in examples] or list(examples)
        rows = [_shown(name, *examples[name], info, scores) for name in names]
        found.append(section(title, _swatches(info), *rows))
    return found


def classes_of(results: Mapping[str, Any]) -> DatasetInfo:
    """The classes of an evaluation; those of older ones by their data set's name."""
    if "classes" in results:
        return DatasetInfo.from_dict(results["classes"])
    return dataset_info(results["dataset"])


def error_map(label: np.ndarray, prediction: np.ndarray, classes: int) -> np.ndarray:
    """Where a prediction is right and wrong.

    Args:
        label, prediction: uint8 (height, width).
        classes: how many there are; other labels say nothing.

    Returns:
        uint8 (height, width), places in `ERROR_COLORS`.
    """
    wrong = (label != prediction).astype(np.uint8)
    return np.where(label >= classes, np.uint8(2), wrong)


def _shown(name, picture, label, prediction, info, scores) -> str:
    errors = error_map(label, prediction, info.num_classes)
    pictures = {
        "image": Image.fromarray(picture),
        "label": _painted(label, info.palette),
        "prediction": _painted(prediction, info.palette),
        "errors": _painted(errors, [*ERROR_COLORS.values()]),
    }
    score = scores.get(name)
    said = ""
    if score and score["miou"] is not None:
        said = (
            f", mIoU {score['miou']:.1%}, {score['pixel_accuracy']:.1%} of the pixels"
        )
    parts = "".join(
        f"<figure>{_small(found, f'{name}: {kind}')}<figcaption>{kind}</figcaption>"
        "</figure>"
        for kind, found in pictures.items()
    )
    return f'<div class="shown"><h3>{text(name)}{said}</h3>{parts}</div>'


def _painted(indices: np.ndarray, colors: Sequence[Sequence[int]]) -> Image.Image:
    """Indices as a picture with a palette; those without a colour are black."""
    palette = np.zeros((256, 3), np.uint8)
    palette[: len(colors)] = colors
    picture = Image.fromarray(indices).convert("P")
    picture.putpalette(palette.tobytes())
    return picture


def _small(picture: Image.Image, caption: str) -> str:
    photograph = picture.mode == "RGB"
    if picture.width > SHOWN_WIDTH:
        size = SHOWN_WIDTH, max(1, round(picture.height * SHOWN_WIDTH / picture.width))
        how = Image.Resampling.BOX if photograph else Image.Resampling.NEAREST
        picture = picture.resize(size, how)
    return image(picture, caption, photograph)


def _swatches(info: DatasetInfo) -> str:
    colors = {
        name: tuple(color) for name, color in zip(info.class_names, info.palette)
    } | ERROR_COLORS
    entries = "".join(
        f'<span><i style="background:rgb{tuple(map(int, color))}"></i>{text(name)}</span>'
        for name, color in colors.items()
    )
    return f'<p class="swatches">{entries}</p>'


def parts_section(results: Mapping[str, Any]) -> list[str]:
    """Where the milliseconds go, by the latency table."""
    parts = results.get("latency_by_part_ms")
    if not parts:
        return []
    total = sum(parts.values()) or 1.0
    rows = [
        (name, f"{value:.3f} ms", f"{value / total:.1%}", value / total)
        for name, value in parts.items()
    ]
    by = results.get("predicted_by") or {}
    note = "By the latency table"
    if "device" in by:
        note += f" ({by['device']}, {by['runtime']}, {by['precision']})"
    note += f" {total:.3f} ms in all, which a bar of the full width stands for"
    measured = results.get("latency_ms")
    if is_number(measured):
        note += f"; the whole network was measured at {measured:.3f} ms"
        if "runtime" in results:
            note += f" by {results['runtime']}, {results['precision']}"
    found = bar_table(("part", "time", "share"), rows)
    return [section("Where the milliseconds go", found, note=f"{note}.")]


def read_named(folder: pathlib.Path) -> Examples:
    """The examples of a folder by their names; none where there is no folder.

    Raises:
        InputError: a file is absent or damaged, or images, labels and predictions
            are of different sizes.
    """
    found = {}
    for name, *arrays in zip(example_names(folder), *read_examples(folder)):
        if len({array.shape[:2] for array in arrays}) > 1:
            raise InputError(f"{folder}: the pictures of {name} differ in size.")
        found[name] = tuple(arrays)
    return found
