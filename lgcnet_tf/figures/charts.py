"""Charts of a run: training curves, class IoUs, latencies, α."""

import math
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.patches
import numpy as np

from lgcnet_tf.errors import InputError
from lgcnet_tf.figures import style
from lgcnet_tf.latency.table import LatencyTable
from lgcnet_tf.space.cells import CELL_EDGE_NAMES
from lgcnet_tf.space.operations import CELL_OPERATIONS

PANELS = {
    "Loss": ("loss", "cross_entropy", "latency_loss", "val_loss"),
    "mIoU (%)": ("miou", "val_miou", "left_out_miou"),
    "Learning rate": ("learning_rate", "alpha_lr", "guidance_lr"),
    "Latency (ms)": (
        "expected_latency_ms", "derived_latency_ms", "latency_ms", "target_latency_ms",
    ),
    "Temperature": ("temperature",),
    "Entropy of α (nats)": ("alpha_entropy",),
    "λ": ("latency_weight",),
}  # fmt: skip
"""Title of a panel and the keys of an epoch's figures that it shows."""

_LINES = ("#1f5fa8", "#b8520a", "#1d7f4e", "#7b3fa0")


def training_curves(
    history: Sequence[Mapping[str, Any]], path: str | os.PathLike
) -> pathlib.Path:
    """Draws a panel for each kind of figure that the history has.

    Args:
        history: one dict per epoch, as in `history.json`. Known keys are
            grouped (loss, mIoU as a fraction, learning rate, latencies in ms,
            temperature, entropy of α); an epoch may lack some.
        path: PNG file to write.

    Raises:
        InputError: the history has no epoch or none of the known figures.
    """
    panels = {}
    for title, keys in PANELS.items():
        curves = {key: _curve(history, key) for key in keys}
        curves = {key: points for key, points in curves.items() if points[0]}
        if curves:
            panels[title] = curves
    if not panels:
        known = ", ".join(key for keys in PANELS.values() for key in keys)
        raise InputError(f"The history has nothing to draw; known figures: {known}.")
    columns = min(3, len(panels))
    rows = math.ceil(len(panels) / columns)
    figure = style.new_figure(4.2 * columns + 0.4, 2.9 * rows + 0.3)
    _layout(figure)
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat[len(panels) :]:
        axes.set_axis_off()
    for axes, (title, curves) in zip(grid.flat, panels.items()):
        _draw_curves(axes, title, curves)
    return style.save_figure(figure, path)


def per_class_iou(result: Any, path: str | os.PathLike) -> pathlib.Path:
    """Draws a bar per class and the mean as a line.

    Args:
        result: an `EvaluationResult`, or the dict of a `results.json` with
            `miou` and `per_class_iou`; IoUs are fractions of 1.
        path: PNG file to write.

    Raises:
        InputError: the result has no IoU per class.
    """
    result = result if isinstance(result, Mapping) else result.to_dict()
    ious = result.get("per_class_iou")
    if not isinstance(ious, Mapping) or not ious:
        raise InputError("The result has no per_class_iou to draw.")
    names = list(ious)
    shown = [float("nan") if ious[n] is None else 100 * ious[n] for n in names]
    figure = style.new_figure(7.6, 0.34 * len(names) + 1.2)
    _layout(figure)
    axes = figure.subplots()
    style.plain_axes(axes)
    rows = np.arange(len(names))
    axes.barh(rows, np.nan_to_num(shown), color=style.ACCENT, height=0.7)
    for row, value in zip(rows, shown):
        text = "absent" if math.isnan(value) else f"{value:.1f}"
        axes.text(
            np.nan_to_num(value) + 0.8, row, text, va="center", fontsize=8.5,
            color=style.MUTED if math.isnan(value) else style.INK,
        )  # fmt: skip
    axes.set(
        yticks=rows, yticklabels=names, xlim=(0, 108), ylim=(len(names) - 0.4, -0.6)
    )
    axes.set_xticks(range(0, 101, 20))
    axes.set_xlabel("IoU (%)", fontsize=9)
    axes.tick_params(axis="y", length=0, labelsize=9)
    mean = result.get("miou")
    if mean is not None:
        axes.axvline(100 * mean, color="#b8520a", linewidth=1.4, linestyle=(0, (4, 3)))
        axes.set_title(
            f"IoU per class, mIoU {100 * mean:.2f} %", fontsize=11, weight="bold",
            loc="left",
        )  # fmt: skip
    return style.save_figure(figure, path)


def latency_bars(table: LatencyTable, path: str | os.PathLike) -> pathlib.Path:
    """Draws the measured times: a panel per shape, a bar per operation.

    Bars are medians, whiskers the interquartile range.

    Args:
        table: what was measured.
        path: PNG file to write.
    """
    groups: dict[str, list[tuple[str, float, float]]] = {}
    for key, entry in table.entries.items():
        operation, before, after, stride = key.split()
        shape = after if before == after else f"{before} → {after}"
        if stride != "s1":
            shape += f", stride {stride[1:]}"
        bar = (operation, entry.median_us, entry.spread_us)
        groups.setdefault(shape.replace("x", "×"), []).append(bar)
    # Parts that stand alone with their shapes share one panel.
    alone = [(f"{bars[0][0]}  {shape}", *bars[0][1:]) for shape, bars in groups.items()
             if len(bars) == 1]  # fmt: skip
    shared = [item for item in groups.items() if len(item[1]) > 1]
    # Few bars beside many would leave half of a row empty.
    groups = dict(sorted(shared, key=lambda item: -len(item[1])))
    if alone:
        groups["other parts"] = alone
    if not groups:
        raise InputError("The latency table has no entries to draw.")
    rows = math.ceil(len(groups) / 2)
    pairs = [list(groups.items())[2 * i : 2 * i + 2] for i in range(rows)]
    heights = [max(len(bars) for _, bars in pair) + 2.6 for pair in pairs]
    figure = style.new_figure(13, 0.24 * sum(heights) + 0.7)
    _layout(figure)
    grid = figure.subplots(
        rows, min(2, len(groups)), squeeze=False, height_ratios=heights
    )
    for axes in grid.flat[len(groups) :]:
        axes.set_axis_off()
    for index, (axes, (shape, bars)) in enumerate(zip(grid.flat, groups.items())):
        _draw_bars(axes, shape, bars, places=max(len(b) for _, b in pairs[index // 2]))
    height, width = table.input_size
    figure.suptitle(
        f"Measured latency, input {height}×{width}, {table.device}, {table.runtime}",
        fontsize=11, weight="bold", x=0.01, ha="left",
    )  # fmt: skip
    return style.save_figure(figure, path)


def alpha_heatmap(
    alphas: np.ndarray,
    path: str | os.PathLike,
    operations: Sequence[str] = CELL_OPERATIONS,
) -> pathlib.Path:
    """Draws the probability of every operation on every edge of every cell.

    A ring marks the operation that an edge keeps.

    Args:
        alphas: (K, 5, operations), α' of the cells: logits, or their softmax.
        path: PNG file to write.
        operations: the candidates, `Skeleton.cell_operations`.

    Raises:
        InputError: the array has another shape.
    """
    alphas = np.asarray(alphas, np.float64)
    edges, count = len(CELL_EDGE_NAMES), len(operations)
    if alphas.ndim != 3 or alphas.shape[1:] != (edges, count) or not len(alphas):
        raise InputError(
            f"alphas must have the shape (cells, {edges}, {count}). "
            f"Received: {alphas.shape}."
        )
    if alphas.min() < 0 or not np.allclose(alphas.sum(-1), 1.0, atol=1e-3):
        alphas = np.exp(alphas - alphas.max(-1, keepdims=True))
        alphas /= alphas.sum(-1, keepdims=True)
    # One axes for all cells: one for each takes four times as long to draw.
    rows = math.ceil(len(alphas) / 7)
    columns = math.ceil(len(alphas) / rows)
    high, wide = edges + 1.1, count + 1.0  # a panel with its margin
    width, height = 2.1 * columns + 1.5, 1.75 * rows + 0.9
    figure = style.new_figure(width, height)
    axes = figure.add_axes(
        (0.75 / width, 0.7 / height, 1 - 1.5 / width, 1 - 0.75 / height)
    )
    corners = [
        ((i % columns) * wide, (i // columns) * high) for i in range(len(alphas))
    ]
    for index, ((x, y), cell) in enumerate(zip(corners, alphas)):
        image = axes.imshow(
            cell, vmin=0, vmax=1, cmap="Blues", aspect="auto",
            extent=(x, x + count, y + edges, y),
        )  # fmt: skip
        axes.text(x, y - 0.2, f"Cell {index}", fontsize=9, weight="bold")
        axes.add_artist(
            matplotlib.patches.Rectangle(
                (x, y), count, edges, fill=False, edgecolor=style.FAINT
            )
        )
    corners = np.array(corners)
    best = alphas.argmax(-1)
    axes.scatter(
        corners[:, :1] + best + 0.5, corners[:, 1:] + np.arange(edges) + 0.5, s=25,
        facecolors="none", linewidths=1.1,
        edgecolors=np.where(alphas.max(-1).ravel() > 0.55, "white", style.INK),
    )  # fmt: skip
    edge_names = [name.replace("->", " → ") for name in CELL_EDGE_NAMES]
    names = [style.short_name(name) for name in operations]
    axes.set(xlim=(0, columns * wide - 1.0), ylim=(rows * high - 1.1, -0.9))
    axes.set_yticks(_places(corners[:, 1], edges), edge_names * rows)
    axes.set_xticks(_places(corners[:, 0], count), names * columns, rotation=90)
    axes.tick_params(labelsize=7, length=0)
    axes.spines[:].set_visible(False)
    bar = figure.colorbar(
        image, cax=figure.add_axes((1 - 0.6 / width, 0.3, 0.1 / width, 0.4))
    )
    bar.set_label("probability", fontsize=8)
    bar.ax.tick_params(labelsize=7)
    bar.outline.set_visible(False)
    return style.save_figure(figure, path)


def _places(corners, count):
    return (np.unique(corners)[:, None] + np.arange(count) + 0.5).ravel()


def choices_course(
    margins: np.ndarray, changes: np.ndarray, path: str | os.PathLike
) -> pathlib.Path:
    """Draws how sure the choices became and how many still changed.

    Args:
        margins: (epochs, edges), p(first) - p(second); NaN where not known.
        changes: (epochs,), edges with another choice than an epoch before.
        path: PNG file to write.
    """
    figure = style.new_figure(8.8, 3.2)
    _layout(figure)
    left, right = figure.subplots(1, 2)
    epochs = np.arange(1, len(margins) + 1)
    low, middle, high = np.quantile(margins, (0.1, 0.5, 0.9), axis=1)
    left.fill_between(
        epochs, low, high, color=style.ACCENT, alpha=0.18, linewidth=0,
        label="80 % of the edges",
    )  # fmt: skip
    left.plot(epochs, middle, color=style.ACCENT, linewidth=1.6, label="median")
    left.plot(epochs, margins.min(1), color=_LINES[1], linewidth=1.6, label="minimum")
    left.set_title("Margin of the choice", fontsize=10.5, weight="bold", loc="left")
    left.set_ylim(-0.02, 1.02)
    left.legend(frameon=False, fontsize=8)
    right.bar(epochs, np.nan_to_num(changes), color=style.ACCENT)
    right.set_title(
        "Edges that changed their choice", fontsize=10.5, weight="bold", loc="left"
    )
    right.yaxis.get_major_locator().set_params(integer=True)
    for axes in (left, right):
        style.plain_axes(axes)
        axes.set_xlabel("epoch", fontsize=8.5, color=style.MUTED)
        axes.grid(axis="y", color="#e6e6e6", linewidth=0.7)
        axes.set_axisbelow(True)
        axes.set_xlim(0.5, len(margins) + 0.5)
        axes.xaxis.get_major_locator().set_params(integer=True)
    return style.save_figure(figure, path)


def _layout(figure):
    figure.set_layout_engine("constrained", h_pad=0.09, w_pad=0.09)


def _curve(history, key):
    points = [
        (row.get("epoch", index), row[key])
        for index, row in enumerate(history, start=1)
        if isinstance(row.get(key), (int, float)) and math.isfinite(row[key])
    ]
    return [x for x, _ in points], [y for _, y in points]


def _draw_curves(axes, title, curves):
    style.plain_axes(axes)
    factor = 100 if "mIoU" in title else 1
    for ink, (key, (epochs, values)) in zip(_LINES, curves.items()):
        few = len(epochs) <= 20
        axes.plot(
            epochs, [factor * value for value in values], color=ink, linewidth=1.6,
            marker="o" if few else "", markersize=3, label=key,
        )  # fmt: skip
    axes.set_title(title, fontsize=10.5, weight="bold", loc="left")
    axes.set_xlabel("epoch", fontsize=8.5, color=style.MUTED)
    axes.grid(axis="y", color="#e6e6e6", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.xaxis.get_major_locator().set_params(integer=True)
    if len(curves) > 1:
        axes.legend(frameon=False, fontsize=8)


def _draw_bars(axes, shape, bars, places):
    style.plain_axes(axes)
    names, medians, spreads = zip(*sorted(bars, key=lambda bar: bar[1]))
    rows = np.arange(len(names))
    inks = [style.color(name.split()[0]) for name in names]
    axes.barh(rows, medians, color=inks, height=0.72)
    axes.errorbar(
        medians, rows, xerr=np.array(spreads) / 2, fmt="none", ecolor=style.INK,
        elinewidth=1, capsize=2,
    )  # fmt: skip
    high = max(m + s / 2 for m, s in zip(medians, spreads)) or 1.0
    for row, median, spread in zip(rows, medians, spreads):
        text = f"{median / 1000:.2f} ms" if median >= 1000 else f"{median:.0f} µs"
        axes.text(
            median + spread / 2 + 0.015 * high, row, text, va="center", fontsize=7.5
        )
    axes.set_yticks(rows, names)
    axes.set(xlim=(0, 1.17 * high), ylim=(len(names) - places - 0.6, len(names) - 0.4))
    axes.tick_params(labelsize=7.5)
    axes.tick_params(axis="y", length=0)
    axes.set_title(shape, fontsize=9.5, weight="bold", loc="left")
