"""Predicted against measured latency of many networks."""

import os
import pathlib
from collections.abc import Mapping, Sequence

from lgcnet_tf.errors import InputError
from lgcnet_tf.figures import style

BAND = 0.1
_INKS = (style.ACCENT, "#b8520a", "#1d7f4e", "#7b3fa0")
_MARKERS = "oD^s"


def predicted_measured(
    points: Mapping[str, Sequence[tuple[float, float]]],
    path: str | os.PathLike,
    title: str = "Predicted and measured latency",
) -> pathlib.Path:
    """Draws a point for each network, the identity, and 10 % to either side.

    Args:
        points: for each group's name its (predicted, measured) in ms.
        path: PNG file to write.
        title: stands above it.

    Raises:
        InputError: there is no point.
    """
    values = [value for group in points.values() for point in group for value in point]
    if not values:
        raise InputError("predicted_measured: there is no point to draw.")
    low, high = 0.94 * min(values), 1.06 * max(values)
    figure = style.new_figure(5.6, 5.4)
    figure.set_layout_engine("constrained", h_pad=0.09, w_pad=0.09)
    axes = figure.subplots()
    style.plain_axes(axes)
    ends = [low, high]
    axes.fill_between(
        ends, [(1 - BAND) * e for e in ends], [(1 + BAND) * e for e in ends],
        color=style.FAINT, alpha=0.35, linewidth=0, label=f"±{100 * BAND:.0f} %",
    )  # fmt: skip
    axes.plot(ends, ends, color=style.MUTED, linewidth=1.0)
    for index, (name, group) in enumerate(points.items()):
        if not group:
            continue
        measured, predicted = [m for _, m in group], [p for p, _ in group]
        axes.scatter(
            measured, predicted, s=30 if index == 0 else 60, label=name,
            color=_INKS[index % len(_INKS)], marker=_MARKERS[index % len(_MARKERS)],
            edgecolors="white", linewidths=0.7, zorder=3 + index,
        )  # fmt: skip
    axes.set(xlim=ends, ylim=ends, aspect="equal")
    axes.set_xlabel("measured (ms)", fontsize=9)
    axes.set_ylabel("predicted (ms)", fontsize=9)
    axes.set_title(title, fontsize=10, weight="bold", loc="left")
    axes.grid(color="#e6e6e6", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.legend(frameon=False, fontsize=8, loc="best")
    return style.save_figure(figure, path)
