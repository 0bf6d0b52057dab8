"""Where the nodes of each fusion cell stand in its drawing."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from lgcnet_tf.space.fusion_table import FusionTable

Point = tuple[float, float]


@dataclasses.dataclass(frozen=True)
class FusionLayout:
    """Rows are strides, finest on top; columns follow the depth from the taps.

    Attributes:
        height: of the figure, in inches.
        limits: (lowest, highest) y of the axes.
        bands: (bottom, top) of each row, finest first.
        places: of each node, and of the output as `out`.
        curves: middle control point of the edges that are no straight line, by
            the edge's name.
        labels: where on an edge its operation's name stands, so that no two
            names meet; 0.5 for the others.
    """

    height: float
    limits: Point
    bands: tuple[Point, ...]
    places: Mapping[str, Point]
    curves: Mapping[str, Point] = dataclasses.field(default_factory=dict)
    labels: Mapping[str, float] = dataclasses.field(default_factory=dict)


FUSION_LAYOUTS = {
    "dense": FusionLayout(
        height=8.4,
        limits=(-0.35, 8.25),
        bands=((4.02, 8.15), (1.25, 3.88), (-0.25, 1.11)),
        places={
            "P4": (0.0, 6.0),
            "P8": (0.0, 2.75),
            "P16": (0.0, 0.4),
            "Q16": (2.3, 0.4),
            "Q8": (4.2, 2.9),
            "R16": (6.6, 1.95),
            "S16": (6.6, 6.0),
            "R8": (8.9, 6.0),
            "Q4": (11.2, 6.0),
            "out": (13.2, 6.0),
        },
        curves={"P4->R8": (5.4, 8.0), "P4->Q4": (5.9, 9.6)},
        labels={
            "P4->S16": 0.45,
            "P4->R8": 0.47,
            "P4->Q4": 0.49,
            "Q8->S16": 0.50,
            "R16->S16": 0.36,
            "Q8->R8": 0.75,
            "R16->R8": 0.51,
            "Q8->Q4": 0.78,
            "R16->Q4": 0.55,
        },
    ),
    "cas": FusionLayout(
        height=5.4,
        limits=(-0.35, 4.75),
        bands=((2.52, 4.65), (-0.25, 2.38)),
        places={
            "P8": (0.0, 3.6),
            "P16": (0.0, 1.1),
            "Q16": (4.4, 1.75),
            "R16": (4.4, 0.35),
            "Q8": (9.2, 3.6),
            "out": (12.2, 3.6),
        },
    ),
}
"""Of the package's own cells, by the name of the fusion."""

_BAND, _GAP = 3.4, 0.14
_SPAN = 11.2
"""Height of a row, space between two, and x of the last node."""

_BENDS = (0.0, 1.6, -1.6, 2.6, -2.6, 3.6, -3.6)
"""How far an edge's control point may lie from its middle, in the order of trying."""

_ALONG = np.linspace(0.0, 1.0, 41)
_LABELS = np.linspace(0.3, 0.7, 17)
_LABEL = np.array((1.15, 0.42))
"""Width and height of a label."""


def layout_of(fusion: str, table: FusionTable) -> FusionLayout:
    """The layout of a fusion cell; that of an added one is made of its table.

    A node stands the further to the right the more edges the longest way from a tap
    to it has, nodes of one row and depth beside one another. Edges bend around nodes
    that they do not end at, and each label stands where it is farthest from others.
    """
    return FUSION_LAYOUTS.get(fusion) or _computed(table)


def _computed(table: FusionTable) -> FusionLayout:
    rows = len(table.inputs)
    tops = [(rows - level) * (_BAND + _GAP) for level in range(rows)]
    bands = tuple((top - _BAND, top) for top in tops)
    columns = _columns(table)
    step = _SPAN / max(columns.values())
    places = {
        node.name: (step * columns[node.name], tops[node.level] - _BAND / 2)
        for node in table.nodes
    }
    curves, labels, taken = {}, {}, []
    for edge in table.edges:
        ends = np.array([places[edge.source], places[edge.target]])
        others = [
            p for name, p in places.items() if name not in (edge.source, edge.target)
        ]
        for bend in _BENDS:
            control = ends.mean(0) + (0.0, bend)
            points = _curve(ends, control, _ALONG)
            if _nearest(points, others).min() > 0.55:
                break
        if bend:
            curves[edge.name] = tuple(map(float, control))
        points = _curve(ends, control, _LABELS)
        room = _nearest(points / _LABEL, [at / _LABEL for at in taken])
        room = np.minimum(room, _nearest(points, others) / 0.9)
        best = int(np.argmax(np.minimum(room, 1.2) - 0.1 * np.abs(_LABELS - 0.5)))
        labels[edge.name] = float(_LABELS[best])
        taken.append(points[best])
    last = places[table.outputs[-1]]
    places["out"] = (_SPAN + 2.0, last[1])
    limits = (bands[-1][0] - 0.1, bands[0][1] + 0.1)
    return FusionLayout(2.7 * rows + 1.2, limits, bands, places, curves, labels)


def _columns(table: FusionTable) -> dict[str, int]:
    """By depth from the taps; of one row and depth side by side."""
    depth = dict.fromkeys(table.inputs, 0)
    for node in table.nodes[len(table.inputs) :]:
        into = table.edges_into(node.name)
        depth[node.name] = 1 + max(depth[edge.source] for edge in into)
    columns, first = {}, 0
    for level in range(max(depth.values()) + 1):
        counts: dict[int, int] = {}
        for node in table.nodes:
            if depth[node.name] == level:
                columns[node.name] = first + counts.get(node.level, 0)
                counts[node.level] = counts.get(node.level, 0) + 1
        first += max(counts.values())
    return columns


def _curve(ends, control, at):
    """Points of the quadratic Bézier curve at the fractions `at`."""
    t = at[:, None]
    return (1 - t) ** 2 * ends[0] + 2 * t * (1 - t) * control + t**2 * ends[1]


def _nearest(points, others):
    """Distance of each point from the nearest of `others`; large without any."""
    if not len(others):
        return np.full(len(points), 9.0)
    return np.linalg.norm(points[:, None] - np.array(others), axis=-1).min(1)
