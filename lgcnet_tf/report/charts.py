"""Charts of a report, in the page's own colours: curves, and points with their front."""

import dataclasses
import itertools
import math
from collections.abc import Mapping, Sequence

from lgcnet_tf.figures.pareto import pareto_front
from lgcnet_tf.report.html import text

Curve = tuple[Sequence[float], Sequence[float]]

_WIDTH, _HEIGHT = 340, 200
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 10, 8, 34
_TIP, _TIP_LETTERS = 46, 48
"""Height and letters of a line of what a point says, above all points: nothing is
drawn over it."""

COLORS = 6
"""Colours `c0`, `c1`, ... of the style, in turn."""


def ticks(low: float, high: float, count: int = 4) -> list[float]:
    """About `count` round numbers from `low` to `high`."""
    span = high - low
    if not span > 0 or not math.isfinite(span):
        return [low]
    power = 10.0 ** math.floor(math.log10(span / count))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if span / (m * power) <= count)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(number * step, 12) for number in range(first, last + 1)]


class Axes:
    """The frame of a chart: where values stand, and lines with numbers for them.

    Args:
        xs, ys: all values to show.
        x_label: below the chart.
        whole: whether only whole numbers stand on the x axis.
        above: what stays free at the top.
    """

    def __init__(self, xs, ys, x_label: str, whole: bool = False, above: int = 0):
        self.x_label, self.whole, self.above = x_label, whole, above
        self.x_range, self.y_range = _range(xs, 0.04), _range(ys, 0.08)

    @property
    def height(self) -> int:
        """Of the picture."""
        return _HEIGHT + self.above

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Where a point stands, in the units of the picture."""
        (left, right), (low, high) = self.x_range, self.y_range
        wide, top = _WIDTH - _LEFT - _RIGHT, _TOP + self.above
        tall = self.height - _BOTTOM - top
        return (
            round(_LEFT + wide * (x - left) / (right - left), 1),
            round(top + tall * (high - y) / (high - low), 1),
        )

    def draw(self) -> str:
        """Lines and numbers."""
        parts = []
        for value in ticks(*self.y_range):
            _, y = self.place(self.x_range[0], value)
            parts.append(
                f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y}" '
                f'y2="{y}"/><text class="tick" x="{_LEFT - 6}" y="{y + 4}" '
                f'text-anchor="end">{value:.6g}</text>'
            )
        for value in ticks(*self.x_range, count=6):
            if self.whole and value != int(value):
                continue
            x, _ = self.place(value, self.y_range[0])
            parts.append(
                f'<text class="tick" x="{x}" y="{self.height - _BOTTOM + 15}" '
                f'text-anchor="middle">{value:.6g}</text>'
            )
        parts.append(
            f'<text class="tick" x="{(_WIDTH + _LEFT) / 2}" y="{self.height - 3}" '
            f'text-anchor="middle">{text(self.x_label)}</text>'
        )
        return "".join(parts)


def _range(values, margin):
    low, high = min(values), max(values)
    space = margin * (high - low) or 0.05 * abs(low) or 0.5
    return low - space, high + space


def curves(title: str, lines: Mapping[str, Curve], x_label: str = "epoch") -> str:
    """A panel of curves by name; each is named above it where there are several."""
    drawn = list(lines.items())
    xs = [x for _, (along, _) in drawn for x in along]
    ys = [y for _, (_, values) in drawn for y in values]
    axes = Axes(xs, ys, x_label, whole=x_label == "epoch")
    parts = [axes.draw()]
    for number, (_, (along, values)) in enumerate(drawn):
        points = [axes.place(x, y) for x, y in zip(along, values)]
        joined = " ".join(f"{x},{y}" for x, y in points)
        ink = f"c{number % COLORS}"
        parts.append(f'<polyline class="curve {ink}" points="{joined}"/>')
        if len(points) <= 20:
            parts += [f'<circle class="{ink}" cx="{x}" cy="{y}" r="2.5"/>' for x, y in points]  # fmt: skip
    last = ", ".join(f"{name} ends at {values[-1]:.4g}" for name, (_, values) in drawn)
    legend = [(name, f"c{number % COLORS}") for number, (name, _) in enumerate(drawn)]
    return panel(
        title,
        "".join(parts),
        f"{title} by {x_label}: {last}",
        legend[1:] and legend,
        axes.height,
    )


def panel(
    title: str,
    drawn: str,
    said: str,
    legend: Sequence[tuple[str, str]] = (),
    height: int = _HEIGHT,
) -> str:
    """A chart with its title, a description of it, and (name, colour) of a legend."""
    names = "".join(
        f'<span><i class="{ink}"></i>{text(name)}</span>' for name, ink in legend
    )
    return (
        f'<figure class="panel"><figcaption>{text(title)}'
        f'<span class="legend">{names}</span></figcaption>'
        f'<svg viewBox="0 0 {_WIDTH} {height}" role="group" aria-label="{text(said)}">'
        f"{drawn}</svg></figure>"
    )


def panels(*drawn: str) -> str:
    """Charts beside one another, as many as there is room for."""
    return f'<div class="panels">{"".join(drawn)}</div>'


@dataclasses.dataclass(frozen=True)
class Point:
    """A network among others.

    Attributes:
        name: what it is called.
        x, y: where it stands; lower x is better.
        said: its figures, in words.
        group: of those that have one colour.
        strength: how strongly it is drawn, up to 1.
        key: joins it with the row of a table that has the same `data-key`.
    """

    name: str
    x: float
    y: float
    said: str
    group: str = ""
    strength: float = 1.0
    key: str = ""


def front(
    title: str, points: Sequence[Point], x_label: str, higher_is_better: bool = True
) -> str:
    """Points, and the front of those that no other one beats in both figures.

    Each point can be pointed at or reached by Tab and the arrow keys and then says
    what it is, without any script too.

    Args:
        title: says what y is.
        points: one or more.
        x_label: what x is; lower is better.
        higher_is_better: of y.
    """
    sign = 1 if higher_is_better else -1
    best = pareto_front([p.x for p in points], [sign * p.y for p in points])
    axes = Axes([p.x for p in points], [p.y for p in points], x_label, above=_TIP)
    groups = list(dict.fromkeys(point.group for point in points))
    corners = [axes.place(points[i].x, points[i].y) for i in best]
    steps = [corners[0]]
    for (_, y), (right, below) in itertools.pairwise(corners):
        steps += [(right, y), (right, below)]
    path = " ".join(f"{x},{y}" for x, y in steps)
    hint = "Point at a network, or reach it by Tab and the arrow keys."
    parts = [
        f'<text class="label hint" x="{_LEFT}" y="14">{hint}</text>',
        axes.draw(),
        f'<polyline class="front" points="{path}"/>',
    ]
    order = sorted(range(len(points)), key=lambda i: (points[i].x, points[i].y))
    for index in order:
        point = points[index]
        x, y = axes.place(point.x, point.y)
        on = index in best
        said = f"{point.name}: {point.said}{'; on the front' if on else ''}"
        ring = f'<circle class="ring" cx="{x}" cy="{y}" r="8"/>' if on else ""
        parts.append(
            f'<g class="point" tabindex="0" role="img" aria-label="{text(said)}" '
            f'data-key="{text(point.key)}">{ring}'
            f'<circle class="c{groups.index(point.group) % COLORS}" cx="{x}" cy="{y}" '
            f'r="4.5" opacity="{point.strength:.2f}"/>'
            f'<circle class="hit" cx="{x}" cy="{y}" r="11"/>{_tip(said)}</g>'
        )
    legend = [(g, f"c{n % COLORS}") for n, g in enumerate(groups)] if groups[1:] else []
    legend.append(("front", "frontline"))
    named = ", ".join(points[i].name for i in best)
    said = f"{title} against {x_label}, {len(points)} networks; on the front: {named}"
    return panel(title, "".join(parts), said, legend, axes.height)


def _tip(said):
    """What a point says, in lines below the chart's upper edge."""
    lines, line = [], ""
    for word in said.split():
        if line and len(line) + len(word) > _TIP_LETTERS:
            lines.append(line)
            line = ""
        line = f"{line} {word}".strip()
    lines.append(line)
    height = 13 * len(lines) + 5
    rows = "".join(f'<tspan x="7" dy="13">{text(part)}</tspan>' for part in lines)
    return (
        f'<g class="tip"><rect width="{_WIDTH}" height="{height}" rx="4"/>'
        f'<text y="1">{rows}</text></g>'
    )
