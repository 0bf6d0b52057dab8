"""Accuracy against latency with the Pareto front (Figure 7)."""

import os
import pathlib
from collections.abc import Mapping, Sequence

from lgcnet_tf.errors import InputError
from lgcnet_tf.figures import style

_INKS = (
    "#1f5fa8", "#b8520a", "#1d7f4e", "#7b3fa0", "#0b7a85", "#a8324a", "#6b6b1f",
    "#4d4d4d",
)  # fmt: skip
_MARKERS = "osD^vP*X"


def pareto_front(latency: Sequence[float], accuracy: Sequence[float]) -> list[int]:
    """Indices of the points that no other point dominates, fastest first.

    A point dominates another that is no better in latency and accuracy, and
    worse in one of them. Equal points are all on the front.
    """
    order = sorted(range(len(latency)), key=lambda i: (latency[i], -accuracy[i]))
    front: list[int] = []
    for index in order:
        best = front[-1] if front else None
        if (
            best is None
            or accuracy[index] > accuracy[best]
            or (latency[index], accuracy[index]) == (latency[best], accuracy[best])
        ):
            front.append(index)
    return front


def accuracy_latency(
    points: Mapping[str, Sequence[tuple[float, float]]],
    path: str | os.PathLike,
    title: str = "Accuracy and latency",
) -> pathlib.Path:
    """Draws every point, a colour for each setting, and the Pareto front.

    Args:
        points: for each setting's name its (latency in ms, mIoU as a fraction).
        path: PNG file to write.
        title: stands above it.

    Raises:
        InputError: there is no point.
    """
    flat = [point for group in points.values() for point in group]
    if not flat:
        raise InputError("accuracy_latency: there is no point to draw.")
    figure = style.new_figure(8.4, 5.0)
    figure.set_layout_engine("constrained", h_pad=0.09, w_pad=0.09)
    axes = figure.subplots()
    style.plain_axes(axes)
    front = [flat[i] for i in pareto_front(*zip(*flat))]
    axes.plot(
        [x for x, _ in front], [100 * y for _, y in front], color=style.MUTED,
        linewidth=1.3, linestyle=(0, (4, 3)), drawstyle="steps-post",
        marker="o", markersize=11, markerfacecolor="none",
        label="Pareto front", zorder=1,
    )  # fmt: skip
    for index, (name, group) in enumerate(points.items()):
        marker = _MARKERS[index // len(_INKS) % len(_MARKERS)]
        axes.scatter(
            [x for x, _ in group], [100 * y for _, y in group], s=44, zorder=2,
            color=_INKS[index % len(_INKS)], marker=marker, edgecolors="white",
            linewidths=0.8, label=name,
        )  # fmt: skip
    axes.set_xlabel("latency (ms)", fontsize=9)
    axes.set_ylabel("mIoU (%)", fontsize=9)
    axes.set_title(title, fontsize=11, weight="bold", loc="left")
    axes.grid(color="#e6e6e6", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.margins(0.08)
    axes.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return style.save_figure(figure, path)
