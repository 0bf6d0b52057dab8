"""Where the nodes of each fusion cell stand in its drawing."""

import dataclasses
from collections.abc import Mapping

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
"""By the name of the fusion."""
