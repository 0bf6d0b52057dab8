"""Where the nodes of each fusion cell stand in its drawing."""

import dataclasses
from collections.abc import Mapping

from lgcnet_tf.space.fusion import FusionTable

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

_BAND, _GAP = 3.2, 0.14
_SPAN = 11.0
"""Height of a row, space between two, and x of the output's nodes."""


def layout_of(fusion: str, table: FusionTable) -> FusionLayout:
    """The layout of a fusion cell; that of an added one is made of its table.

    A node stands as far to the right as the longest way from a tap to it has edges;
    nodes of one row and column stand above one another, and the labels of the edges
    into a node at different distances from it.
    """
    return FUSION_LAYOUTS.get(fusion) or _computed(table)


def _computed(table: FusionTable) -> FusionLayout:
    depth = dict.fromkeys(table.inputs, 0)
    for node in table.nodes[len(table.inputs) :]:
        into = table.edges_into(node.name)
        depth[node.name] = 1 + max(depth[edge.source] for edge in into)
    step = _SPAN / max(depth.values())
    rows = len(table.inputs)
    tops = [(rows - level) * (_BAND + _GAP) for level in range(rows)]
    bands = tuple((top - _BAND, top) for top in tops)
    places: dict[str, Point] = {}
    for node in table.nodes:
        alike = [
            n.name
            for n in table.nodes
            if n.level == node.level and depth[n.name] == depth[node.name]
        ]
        share = (alike.index(node.name) + 1) / (len(alike) + 1)
        # Not all at one height: a straight edge would pass through nodes between.
        lift = 0.12 * _BAND * (depth[node.name] % 3 - 1)
        y = tops[node.level] - _BAND * share + lift / len(alike)
        places[node.name] = (step * depth[node.name], y)
    last = places[table.outputs[-1]]
    places["out"] = (_SPAN + 2.2, last[1])
    labels = {}
    for node in table.nodes:
        into = table.edges_into(node.name)
        for index, edge in enumerate(into):
            labels[edge.name] = 0.35 + 0.3 * (index + 0.5) / len(into)
    limits = (bands[-1][0] - 0.1, bands[0][1] + 0.1)
    return FusionLayout(2.6 * rows + 1.2, limits, bands, places, labels=labels)
