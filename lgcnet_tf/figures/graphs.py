"""A genotype's cells and its fusion cell drawn as graphs."""

import math
import os
import pathlib

import matplotlib.lines
import matplotlib.patches
import matplotlib.path
import numpy as np

from lgcnet_tf.errors import InputError
from lgcnet_tf.figures import style
from lgcnet_tf.figures.fusion_layouts import layout_of
from lgcnet_tf.space.cells import CELL_EDGES, CellSpec
from lgcnet_tf.space.genotype import Genotype
from lgcnet_tf.space.operations import operation as named
from lgcnet_tf.space.pruning import CellLiveness, liveness

_CELL_NODES = {
    "s0": (0.0, 1.0),
    "s1": (1.35, 1.0),
    "n0": (3.3, 2.0),
    "n1": (3.3, 0.0),
    "output": (4.9, 1.0),
}
# Quadratic Bézier curves by their middle control point; None is a straight line.
_CELL_CURVES = {
    ("s0", "n0"): (0.35, 2.15),
    ("s0", "n1"): (0.35, -0.15),
}
_CELL_LABELS = {
    ("s0", "n0"): 0.50,
    ("s1", "n0"): 0.52,
    ("s0", "n1"): 0.50,
    ("s1", "n1"): 0.52,
    ("n0", "n1"): 0.5,
}
_COLUMNS = 4


def draw_genotype(genotype: Genotype, path: str | os.PathLike) -> pathlib.Path:
    """Draws every cell as a graph from s0 and s1 over n0 and n1 to its output.

    Edges have the colour of their operation's family and its short name; `none`
    edges, nodes without input and cells that nothing reads are faint.

    Args:
        genotype: what to draw.
        path: PNG file to write.
    """
    skeleton = genotype.skeleton
    live = liveness(skeleton, [[(op,) for op in cell] for cell in genotype.cells])
    columns = min(_COLUMNS, skeleton.num_cells)
    rows = math.ceil(skeleton.num_cells / columns)
    width, height = 4.3 * columns, 2.45 * rows + 1.28
    figure = style.new_figure(width, height)
    grid = figure.subplots(rows, columns, squeeze=False)
    figure.subplots_adjust(
        left=0.008, right=0.992, bottom=0.5 / height, top=1 - 0.78 / height,
        hspace=0.07, wspace=0.03,
    )  # fmt: skip
    _title(figure, "Searched cells", _subtitle(genotype), height)
    for axes in grid.flat[skeleton.num_cells :]:
        axes.set_axis_off()
    for axes, spec, cell, alive in zip(grid.flat, skeleton.cells, genotype.cells, live):
        _draw_cell(axes, spec, cell, alive)
    operations = [op for cell in genotype.cells for op in cell]
    _legend(figure, operations, height)
    return style.save_figure(figure, path)


def draw_fusion_cell(genotype: Genotype, path: str | os.PathLike) -> pathlib.Path:
    """Draws the searched fusion cell: strides are rows, depths columns.

    Args:
        genotype: has a searched fusion cell.
        path: PNG file to write.

    Raises:
        InputError: the genotype's skeleton has none.
    """
    skeleton = genotype.skeleton
    table = skeleton.fusion_cell
    if table is None:
        raise InputError("The genotype has no fusion cell to draw.")
    layout = layout_of(skeleton.fusion, table)
    places, height = layout.places, layout.height
    strides = [skeleton.cells[tap].stride for tap in skeleton.taps]
    figure = style.new_figure(14.2, height)
    axes = figure.add_axes((0.005, 0.63 / height, 0.99, 1 - 1.344 / height))
    axes.set(xlim=(-2.1, 14.6), ylim=layout.limits, aspect="auto")
    axes.set_axis_off()
    for stride, (bottom, top) in zip(strides, layout.bands):
        band = matplotlib.patches.FancyBboxPatch(
            (-2.0, bottom), 16.5, top - bottom, facecolor="#f3f5f8", linewidth=0,
            boxstyle="round,pad=0,rounding_size=0.12", zorder=0,
        )  # fmt: skip
        axes.add_patch(band)
        axes.text(
            -1.85, (bottom + top) / 2, f"stride {stride}", rotation=90, ha="center",
            va="center", fontsize=11, color=style.MUTED, weight="bold",
        )  # fmt: skip
    outputs = np.array([places[name] for name in table.outputs])
    (left, bottom), (right, top) = outputs.min(0) - 0.52, outputs.max(0) + 0.52
    together = matplotlib.patches.FancyBboxPatch(
        (left, bottom), right - left, top - bottom, facecolor="#e6eaf0",
        edgecolor="#b9c0cb", boxstyle="round,pad=0,rounding_size=0.2", zorder=1,
    )  # fmt: skip
    axes.add_patch(together)
    _arrow(axes, (right - 0.3, outputs[-1, 1]), places["out"], style.INK, 19)
    for edge in table.edges:
        _edge(
            axes, places[edge.source], places[edge.target], genotype.fusion[edge.name],
            layout.labels.get(edge.name, 0.5), 10, shrink=19,
            control=layout.curves.get(edge.name),
        )  # fmt: skip
    for node in table.nodes:
        x, y = places[node.name]
        _node(axes, (x, y), node.name, 19, 11, boxed=node.project)
        if node.project:
            axes.text(
                x - 0.1, y + 0.42, "1×1 projection", ha="right", va="bottom",
                fontsize=9, color=style.MUTED,
            )  # fmt: skip
    for name, tap in zip(table.inputs, skeleton.taps):
        x, y = places[name]
        axes.text(
            x - 0.5, y, f"cell {tap}", ha="right", va="center", fontsize=10,
            color=style.MUTED,
        )  # fmt: skip
    x, y = places["out"]
    _node(axes, (x, y), "sum" if len(table.outputs) > 1 else "out", 19, 11)
    axes.text(
        x, y - 0.62, "1×1 classifier,\nresize to input", ha="center", va="top",
        fontsize=10, color=style.MUTED,
    )  # fmt: skip
    note = (
        "Several edges into a node are concatenated; arrows between rows double "
        "the resolution."
    )
    _title(figure, table.title.capitalize(), note, height)
    _legend(figure, genotype.fusion.values(), height)
    return style.save_figure(figure, path)


def _draw_cell(axes, spec: CellSpec, cell, live: CellLiveness) -> None:
    axes.set(xlim=(-0.5, 5.45), ylim=(-0.55, 2.75))
    axes.set_axis_off()
    used = live.needed
    box = matplotlib.patches.FancyBboxPatch(
        (0.008, 0.0), 0.984, 0.985, transform=axes.transAxes, linewidth=0.8,
        boxstyle="round,pad=0,rounding_size=0.03", clip_on=False, zorder=0,
        facecolor="#fffaf0" if spec.reduction else "#fbfbfc", edgecolor="#d9dbe0",
    )  # fmt: skip
    axes.add_patch(box)
    kind = " · reduction" if spec.reduction else ""
    unused = "" if used else " · not used"
    axes.text(
        0.03, 0.94, f"Cell {spec.index}", transform=axes.transAxes, va="top",
        fontsize=11, weight="bold", color=style.INK if used else style.MUTED,
    )  # fmt: skip
    axes.text(
        0.97, 0.935, f"stride {spec.stride} · {spec.channels} ch{kind}{unused}",
        transform=axes.transAxes, ha="right", va="top", fontsize=8.5, color=style.MUTED,
    )  # fmt: skip
    for edge, operation, alive in zip(CELL_EDGES, cell, live.edges):
        places = [_CELL_NODES[name] for name in edge]
        # An edge whose source is empty, or whose cell nobody reads, does nothing.
        faint = not (alive and used)
        _edge(
            axes, *places, operation, _CELL_LABELS[edge], 8.5, faint=faint,
            control=_CELL_CURVES.get(edge), shrink=12,
        )  # fmt: skip
    for name in ("n0", "n1"):
        alive = name in live.nodes and used
        ink = style.MUTED if alive else style.FAINT
        _arrow(
            axes, _CELL_NODES[name], _CELL_NODES["output"], ink, 12, dashed=not alive
        )
    for name, place in _CELL_NODES.items():
        alive = used and (name not in ("n0", "n1") or name in live.nodes)
        if name == "output":
            _node(axes, place, "out", 12, 8, faint=not alive, boxed=True)
        else:
            _node(axes, place, name, 12, 9, faint=not alive)
    for name, back in (("s0", 2), ("s1", 1)):
        x, y = _CELL_NODES[name]
        source = f"cell {spec.index - back}" if spec.index >= back else "stem"
        axes.text(
            x + 0.3 * (name == "s0"), y - (0.0 if name == "s0" else 0.3), source,
            ha="left" if name == "s0" else "center",
            va="center" if name == "s0" else "top", fontsize=7, color=style.MUTED,
            zorder=5,
        )  # fmt: skip


def _edge(
    axes, start, end, operation, at, fontsize, control=None, faint=False, shrink=12
):
    """An arrow with the operation's short name on it, at fraction `at`."""
    faint = faint or not named(operation).carries
    ink = style.FAINT if faint else style.color(operation)
    _arrow(axes, start, end, ink, shrink, control, dashed=faint, bold=not faint)
    start, end = np.array(start), np.array(end)
    middle = (start + end) / 2 if control is None else np.array(control)
    x, y = (1 - at) ** 2 * start + 2 * at * (1 - at) * middle + at**2 * end
    axes.text(
        x, y, style.short_name(operation), ha="center", va="center", zorder=4,
        fontsize=fontsize - 1 if faint else fontsize,
        color="#8a8a8a" if faint else "white", weight="normal" if faint else "bold",
        bbox={
            "boxstyle": "round,pad=0.28,rounding_size=0.5",
            "facecolor": "white" if faint else ink,
            "edgecolor": style.FAINT if faint else "white",
            "linewidth": 0.8,
        },
    )  # fmt: skip


def _arrow(axes, start, end, ink, shrink, control=None, dashed=False, bold=False):
    if control is None:
        control = (np.array(start) + np.array(end)) / 2
    curve = matplotlib.path.Path(
        [start, control, end],
        [matplotlib.path.Path.MOVETO] + [matplotlib.path.Path.CURVE3] * 2,
    )
    arrow = matplotlib.patches.FancyArrowPatch(
        posA=None, path=_shortened(axes, curve, shrink), arrowstyle="-|>",
        mutation_scale=11, color=ink, linewidth=1.9 if bold else 1.1,
        linestyle=(0, (3, 2.4)) if dashed else "solid", zorder=2,
    )  # fmt: skip
    axes.add_artist(arrow)  # `add_patch` looks for the limits of the axes, slowly


def _shortened(axes, curve, shrink):
    """The curve without what lies within `shrink` points of its ends."""
    t = np.linspace(0, 1, 100)[:, None]
    start, control, end = curve.vertices
    points = (1 - t) ** 2 * start + 2 * t * (1 - t) * control + t**2 * end
    shown = axes.transData.transform(points)
    radius = (shrink + 1.5) * axes.figure.dpi / 72
    ends = (np.linalg.norm(shown - shown[index], axis=1) for index in (0, -1))
    outside = np.logical_and.reduce([distance > radius for distance in ends])
    return matplotlib.path.Path(points[outside])


def _node(axes, place, name, radius, fontsize, faint=False, boxed=False):
    ink = style.FAINT if faint else style.INK
    axes.plot(
        *place, marker="s" if boxed else "o", markersize=2 * radius * 0.92,
        markerfacecolor="#ffffff" if faint else "#eaf0f8", markeredgecolor=ink,
        markeredgewidth=1.2, linestyle="", zorder=6, clip_on=False,
    )  # fmt: skip
    axes.text(
        *place, name, ha="center", va="center", fontsize=fontsize, zorder=7,
        color="#9a9a9a" if faint else style.INK,
    )  # fmt: skip


def _title(figure, title, subtitle, height):
    figure.text(0.012, 1 - 0.16 / height, title, va="top", fontsize=15, weight="bold")
    figure.text(
        0.012, 1 - 0.50 / height, subtitle, va="top", fontsize=10, color=style.MUTED
    )


def _subtitle(genotype: Genotype) -> str:
    skeleton, found = genotype.skeleton, genotype.provenance
    parts = [f"{skeleton.num_cells} cells", f"F = {skeleton.initial_channels}"]
    if "dataset" in found:
        parts.insert(0, str(found["dataset"]))
    latency = found.get("predicted_latency_ms")
    if isinstance(latency, (int, float)):
        parts.append(f"predicted latency {latency:.1f} ms")
    return " · ".join(parts)


def _legend(figure, operations, height):
    present = {style.family(operation) for operation in operations}
    known = [*style.FAMILIES]

    def order(family):
        return known.index(family) if family in known else len(known), family

    handles = [
        matplotlib.lines.Line2D(
            [], [], color=ink, linewidth=3.5, label=name,
            linestyle="dashed" if name == "none" else "solid",
        )
        for name in sorted(present, key=order)
        for ink in [style.color_of(name)]
    ]  # fmt: skip
    figure.legend(
        handles=handles, loc="lower center", ncols=len(handles), frameon=False,
        fontsize=10, bbox_to_anchor=(0.5, 0.06 / height), handlelength=1.6,
    )  # fmt: skip
