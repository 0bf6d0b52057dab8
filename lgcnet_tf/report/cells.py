"""The searched cells as drawings in the page: operations by colour, width by cost.

Below each drawing a bar for each edge has the shares of its candidates, where the
search's probabilities are known.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from lgcnet_tf.figures import style
from lgcnet_tf.figures.fusion_layouts import layout_of
from lgcnet_tf.report.html import text
from lgcnet_tf.space.cells import CELL_EDGES, NODES, CellSpec, Edge
from lgcnet_tf.space.genotype import Genotype
from lgcnet_tf.space.operations import operation as named
from lgcnet_tf.space.pruning import live_parts, liveness_of
from lgcnet_tf.space.skeleton import Skeleton

_PLACES = {
    "s0": (24.0, 66.0), "s1": (82.0, 66.0), "n0": (176.0, 20.0),
    "n1": (176.0, 112.0), "output": (232.0, 66.0),
}  # fmt: skip
_CURVES = {("s0", "n0"): (38.0, 4.0), ("s0", "n1"): (38.0, 128.0)}
_WIDTH, _GRAPH = 256, 134
_ROW = 14
_LABEL = 52
"""Pixels for an edge's name before its bar."""

_THIN, _THICK = 1.4, 8.0
_PLAIN = 3.0
"""Width where no cost is known."""


@dataclasses.dataclass(frozen=True)
class Drawing:
    """What a drawing of a network needs beside its skeleton.

    Attributes:
        skeleton: its frame.
        costs_us: (E, C) predicted µs of each candidate of each of `Skeleton.edges`,
            or None where no table is known.
        choice: (E,) places of the operations among the candidates.
        shares: for each edge its candidates' probabilities, or None.
    """

    skeleton: Skeleton
    costs_us: np.ndarray | None
    choice: np.ndarray
    shares: Sequence[np.ndarray] | None = None

    @classmethod
    def of(cls, genotype: Genotype, costs_us: np.ndarray | None) -> "Drawing":
        """Of a derived network."""
        return cls(genotype.skeleton, costs_us, genotype.choice)

    @property
    def edges(self) -> list[tuple[int, Edge]]:
        """Place and edge of those that are drawn: of cells that something reads."""
        last = self.skeleton.last_cell
        return [
            (place, edge)
            for place, edge in enumerate(self.skeleton.edges)
            if edge.cell is None or edge.cell <= last
        ]

    def widths(self) -> np.ndarray:
        """(E, C) width of each candidate's line, in pixels."""
        most = max(len(edge.candidates) for edge in self.skeleton.edges)
        if self.costs_us is None:
            return np.full((len(self.skeleton.edges), most), _PLAIN)
        drawn = [place for place, _ in self.edges]
        highest = self.costs_us[drawn].max() or 1.0
        return _THIN + (_THICK - _THIN) * self.costs_us / highest

    def live(self, choices: np.ndarray) -> np.ndarray:
        """(..., E) bool, edges that carry something that is read."""
        return live_parts(self.skeleton, choices).edges


def color_of(operation: str) -> str:
    """The colour of the operation's family, as in the figures; that of lines of none."""
    return style.color(operation) if named(operation).carries else "var(--line)"


def legend_of(drawing: Drawing) -> str:
    """The families of the operations that may stand on the edges."""
    candidates = dict.fromkeys(o for _, e in drawing.edges for o in e.candidates)
    families = {style.family(o): color_of(o) for o in candidates if named(o).carries}
    entries = "".join(
        f'<span><i style="background:{color}"></i>{text(name)}</span>'
        for name, color in families.items()
    )
    return f'<p class="swatches">{entries}</p>'


def draw_cells(drawing: Drawing) -> str:
    """Every cell that something reads, beside one another."""
    found = liveness_of(
        drawing.skeleton,
        drawing.skeleton.cell_carries[drawing.skeleton.split(drawing.choice)[0]],
    )
    live, widths = drawing.live(drawing.choice), drawing.widths()
    by_cell: dict[int, list[tuple[int, Edge]]] = {}
    for place, edge in drawing.edges:
        if edge.cell is not None:
            by_cell.setdefault(edge.cell, []).append((place, edge))
    drawn = []
    for index, edges in by_cell.items():
        spec = drawing.skeleton.cells[index]
        drawn.append(_cell(drawing, spec, edges, live, widths, found.needed[index]))
    return f'<div class="cells">{"".join(drawn)}</div>'


def draw_fusion(drawing: Drawing) -> str:
    """The fusion cell, strides as rows; nothing where there is none."""
    skeleton = drawing.skeleton
    table = skeleton.fusion_cell
    if table is None:
        return ""
    layout = layout_of(skeleton.fusion, table)
    (low, high), scale = layout.limits, 54.0

    def at(point):
        return round(scale * (point[0] + 1.4), 1), round(scale * (high - point[1]), 1)

    width, height = scale * 15.6, scale * (high - low)
    parts = []
    strides = [skeleton.cells[tap].stride for tap in skeleton.taps]
    for stride, (bottom, top) in zip(strides, layout.bands):
        x, y = at((-1.3, top))
        parts.append(
            f'<rect class="band" x="{x}" y="{y}" width="{scale * 15.4:.0f}" '
            f'height="{scale * (top - bottom):.0f}" rx="6"/><text class="label" '
            f'x="{width - 14:.0f}" y="{y + 16}" text-anchor="end">stride {stride}</text>'
        )
    live, widths = drawing.live(drawing.choice), drawing.widths()
    edges = [(place, edge) for place, edge in drawing.edges if edge.cell is None]
    for (place, edge), known in zip(edges, table.edges):
        start, end = (layout.places[name] for name in (known.source, known.target))
        control = layout.curves.get(known.name)
        parts.append(
            _edge(
                drawing,
                place,
                edge,
                live[place],
                widths[place],
                at(start),
                at(end),
                control and at(control),
                layout.labels.get(known.name, 0.5),
            )  # fmt: skip
        )
    last = layout.places[table.outputs[-1]]
    parts.append(_joint(at(last), at(layout.places["out"])))
    taps = dict(zip(table.inputs, skeleton.taps))
    for name, place in layout.places.items():
        said = f"{name} (cell {taps[name]})" if name in taps else name
        parts.append(_node(at(place), name, 17, said))
    graph = (
        f'<div class="wide"><svg viewBox="0 0 {width:.0f} {height:.0f}" role="img" '
        f'aria-label="Fusion cell">{"".join(parts)}</svg></div>'
    )
    if drawing.shares is None:
        return graph
    bars = "".join(
        f'<svg viewBox="0 0 {_WIDTH} {_ROW}" role="img" '
        f'aria-label="Shares of {text(edge.name)}">{_mix(drawing, place, edge, 0)}</svg>'
        for place, edge in edges
    )
    return f'{graph}<div class="cells">{bars}</div>'


def _cell(drawing, spec: CellSpec, edges, live, widths, needed) -> str:
    parts = []
    for node in NODES:
        parts.append(_joint(_PLACES[node], _PLACES["output"]))
    for (place, edge), ends in zip(edges, CELL_EDGES):
        start, end = (_PLACES[name] for name in ends)
        parts.append(
            _edge(
                drawing,
                place,
                edge,
                live[place],
                widths[place],
                start,
                end,
                _CURVES.get(ends),
                0.5,
            )  # fmt: skip
        )
    for name, place in _PLACES.items():
        parts.append(_node(place, "out" if name == "output" else name, 12, name))
    height = _GRAPH
    if drawing.shares is not None:
        for row, (place, edge) in enumerate(edges):
            parts.append(_mix(drawing, place, edge, _GRAPH + 4 + row * _ROW))
        height += 4 + len(edges) * _ROW
    kind = " · reduction" if spec.reduction else ""
    unused = "" if needed else " · not used"
    return (
        f'<figure class="cell{" reduction" * spec.reduction}"><figcaption>Cell '
        f"{spec.index}<span>stride {spec.stride} · {spec.channels} ch{kind}{unused}"
        f'</span></figcaption><svg viewBox="0 0 {_WIDTH} {height}" role="img" '
        f'aria-label="{text(_in_words(drawing, spec, edges))}">{"".join(parts)}</svg>'
        "</figure>"
    )


def _in_words(drawing, spec, edges):
    chosen = ", ".join(
        f"{edge.name.split(' ', 2)[2]} {edge.candidates[drawing.choice[place]]}"
        for place, edge in edges
    )
    return f"Cell {spec.index}: {chosen}"


def _edge(drawing, place, edge, alive, widths, start, end, control, at) -> str:
    """An arrowless line from the left to the right with its operation's name."""
    index = int(drawing.choice[place])
    name = edge.candidates[index]
    if control is None:
        control = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
    (x0, y0), (x1, y1), (x2, y2) = start, control, end
    x, y = (
        round((1 - at) ** 2 * a + 2 * at * (1 - at) * b + at**2 * c, 1)
        for a, b, c in ((x0, x1, x2), (y0, y1, y2))
    )
    wide = pill_width(named(name).short_name)
    dead = "" if alive and named(name).carries else " dead"
    return (
        f'<g class="edge{dead}" data-edge="{place}" style="--k:{color_of(name)}">'
        f"<title>{text(edge_text(drawing, place, index))}</title>"
        f'<path d="M{x0} {y0}Q{x1} {y1} {x2} {y2}" stroke-width="{widths[index]:.1f}"/>'
        f'<rect x="{round(x - wide / 2, 1)}" y="{y - 7}" width="{wide}" height="14" '
        f'rx="7"/><text x="{x}" y="{y + 3.4:.1f}">{text(named(name).short_name)}</text>'
        "</g>"
    )


def edge_text(drawing: Drawing, place: int, candidate: int) -> str:
    """An edge with one of its candidates, and what that costs, in words."""
    edge = drawing.skeleton.edges[place]
    said = f"{edge.name}: {edge.candidates[candidate]}"
    if drawing.costs_us is None:
        return said
    return f"{said}, {drawing.costs_us[place, candidate] / 1000.0:.3g} ms"


def pill_width(short_name: str) -> float:
    """Pixels of the box around a name on an edge."""
    return round(9 + 5.9 * len(short_name), 1)


def _mix(drawing, place, edge, y) -> str:
    """The shares of an edge's candidates, one after the other in one bar."""
    name = edge.name.removeprefix("fusion ").split(" ")[-1].replace("->", "→")
    wide, x, parts = _WIDTH - _LABEL - 2, float(_LABEL), []
    for index, share in enumerate(drawing.shares[place]):
        operation = edge.candidates[index]
        parts.append(
            f'<rect x="{x:.1f}" y="{y + 2}" width="{wide * share:.1f}" height="10" '
            f'style="--k:{color_of(operation)}"><title>{text(operation)} '
            f"{share:.0%}</title></rect>"
        )
        x += wide * share
    return (
        f'<text class="label" x="0" y="{y + 10.5}">{text(name)}</text>'
        f'<g class="mix" data-edge="{place}">{"".join(parts)}</g>'
    )


def _node(place, name, radius, said) -> str:
    x, y = place
    return (
        f'<circle class="node" cx="{x}" cy="{y}" r="{radius}"><title>{text(said)}'
        f'</title></circle><text class="name" x="{x}" y="{y + 3.5:.1f}">{text(name)}'
        "</text>"
    )


def _joint(start, end) -> str:
    return f'<path class="joint" d="M{start[0]} {start[1]}L{end[0]} {end[1]}"/>'


def geometry() -> Mapping[str, float]:
    """What the script that redraws an epoch has to know of the drawing."""
    return {"left": _LABEL, "wide": _WIDTH - _LABEL - 2}
