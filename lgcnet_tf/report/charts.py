"""Charts of a run: training curves, class IoUs, latencies, α."""

import math
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lgcnet_tf.errors import InputError
from lgcnet_tf.latency.table import LatencyTable
from lgcnet_tf.report import style
from lgcnet_tf.space.operations import CELL_OPERATIONS
from lgcnet_tf.space.skeleton import CELL_EDGE_NAMES

_PANELS = {
    "Loss": ("loss", "val_loss", "cross_entropy"),
    "mIoU (%)": ("miou", "val_miou"),
    "Learning rate": ("learning_rate", "lr", "weight_lr"),
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
    for title, keys in _PANELS.items():
        curves = {key: _curve(history, key) for key in keys}
        curves = {key: points for key, points in curves.items() if points[0]}
        if curves:
            panels[title] = curves
    if not panels:
        known = ", ".join(key for keys in _PANELS.values() for key in keys)
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
    axes.set(yticks=rows, yticklabels=names, xlim=(0, 108), ylim=(len(names) - 0.4, -0.6))
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


def alpha_heatmap(alphas: np.ndarray, path: str | os.PathLike) -> pathlib.Path:
    """Draws the probability of every operation on every edge of every cell.

    A ring marks the operation that an edge keeps.

    Args:
        alphas: (K, 5, 8), α' of the cells: logits, or their softmax.
        path: PNG file to write.

    Raises:
        InputError: the array has another shape.
    """
    alphas = np.asarray(alphas, np.float64)
    edges, operations = len(CELL_EDGE_NAMES), len(CELL_OPERATIONS)
    if alphas.ndim != 3 or alphas.shape[1:] != (edges, operations) or not len(alphas):
        raise InputError(
            f"alphas must have the shape (cells, {edges}, {operations}). "
            f"Received: {alphas.shape}."
        )
    if alphas.min() < 0 or not np.allclose(alphas.sum(-1), 1.0, atol=1e-3):
        alphas = np.exp(alphas - alphas.max(-1, keepdims=True))
        alphas /= alphas.sum(-1, keepdims=True)
    columns = min(7, len(alphas))
    rows = math.ceil(len(alphas) / columns)
    figure = style.new_figure(2.1 * columns + 1.3, 1.75 * rows + 1.0)
    _layout(figure)
    grid = figure.subplots(rows, columns, squeeze=False, sharey=True)
    for axes in grid.flat[len(alphas) :]:
        axes.set_axis_off()
    for index, (axes, cell) in enumerate(zip(grid.flat, alphas)):
        image = axes.imshow(cell, vmin=0, vmax=1, cmap="Blues", aspect="auto")
        axes.set_title(f"Cell {index}", fontsize=9, weight="bold", loc="left", pad=3)
        edge_names = [name.replace("->", " → ") for name in CELL_EDGE_NAMES]
        axes.set_yticks(range(edges), edge_names)
        axes.tick_params(labelsize=7, length=0)
        lowest = index + columns >= len(alphas)
        names = [style.short_name(name) for name in CELL_OPERATIONS] if lowest else []
        axes.set_xticks(range(operations) if lowest else [], names, rotation=90)
        axes.spines[:].set_color(style.FAINT)
        for edge, best in enumerate(cell.argmax(-1)):
            ink = "white" if cell[edge, best] > 0.55 else style.INK
            axes.plot(
                best, edge, marker="o", markersize=5, markerfacecolor="none",
                markeredgecolor=ink, markeredgewidth=1.1,
            )  # fmt: skip
    bar = figure.colorbar(image, ax=grid, shrink=0.6, aspect=30, pad=0.01)
    bar.set_label("probability", fontsize=8)
    bar.ax.tick_params(labelsize=7)
    bar.outline.set_visible(False)
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
        axes.text(median + spread / 2 + 0.015 * high, row, text, va="center", fontsize=7.5)
    axes.set_yticks(rows, names)
    axes.set(xlim=(0, 1.17 * high), ylim=(len(names) - places - 0.6, len(names) - 0.4))
    axes.tick_params(labelsize=7.5)
    axes.tick_params(axis="y", length=0)
    axes.set_title(shape, fontsize=9.5, weight="bold", loc="left")
