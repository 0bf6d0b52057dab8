"""A genotype's cells and its fusion cell drawn as graphs."""

import math
import os
import pathlib

import matplotlib.lines
import matplotlib.patches
import matplotlib.path
import numpy as np

from lgcnet_tf.errors import InputError
from lgcnet_tf.report import style
from lgcnet_tf.space.fusion import FUSION_EDGES, FUSION_NODES, FUSION_OUTPUTS
from lgcnet_tf.space.genotype import Genotype
from lgcnet_tf.space.pruning import CellLiveness, liveness
from lgcnet_tf.space.skeleton import CELL_EDGES, CellSpec

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

_FUSION_PLACES = {
    "P4": (0.0, 6.0),
    "P8": (0.0, 2.75),
    "P16": (0.0, 0.4),
    "Q16": (2.3, 0.4),
    "Q8": (4.2, 2.9),
    "R16": (6.6, 1.95),
    "S16": (6.6, 6.0),
    "R8": (8.9, 6.0),
    "Q4": (11.2, 6.0),
    "sum": (13.2, 6.0),
}
"""Rows are strides, finest on top; columns follow the depth from the taps."""

_FUSION_BANDS = ((4.02, 8.15), (1.25, 3.88), (-0.25, 1.11))
_FUSION_CURVES = {"P4->R8": (5.4, 8.0), "P4->Q4": (5.9, 9.6)}
_FUSION_LABELS = {
    "P4->S16": 0.45,
    "P4->R8": 0.47,
    "P4->Q4": 0.49,
    "Q8->S16": 0.50,
    "R16->S16": 0.36,
    "Q8->R8": 0.75,
    "R16->R8": 0.51,
    "Q8->Q4": 0.78,
    "R16->Q4": 0.55,
}
"""Where on an edge its name stands, so that no two names meet."""


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
    """Draws the fusion cell: strides are rows, depths columns.

    Args:
        genotype: has a fusion cell.
        path: PNG file to write.

    Raises:
        InputError: the genotype's skeleton has no fusion cell.
    """
    skeleton = genotype.skeleton
    if skeleton.fusion != "dense":
        raise InputError("The genotype has no fusion cell to draw.")
    strides = [skeleton.cells[tap].stride for tap in skeleton.fusion_taps]
    height = 8.4
    figure = style.new_figure(14.2, height)
    axes = figure.add_axes((0.005, 0.075, 0.99, 0.84))
    axes.set(xlim=(-2.1, 14.6), ylim=(-0.35, 8.25), aspect="auto")
    axes.set_axis_off()
    for stride, (bottom, top) in zip(strides, _FUSION_BANDS):
        band = matplotlib.patches.FancyBboxPatch(
            (-2.0, bottom), 16.5, top - bottom, facecolor="#f3f5f8", linewidth=0,
            boxstyle="round,pad=0,rounding_size=0.12", zorder=0,
        )  # fmt: skip
        axes.add_patch(band)
        axes.text(
            -1.85, (bottom + top) / 2, f"stride {stride}", rotation=90, ha="center",
            va="center", fontsize=11, color=style.MUTED, weight="bold",
        )  # fmt: skip
    outputs = np.array([_FUSION_PLACES[name] for name in FUSION_OUTPUTS])
    (left, bottom), (right, top) = outputs.min(0) - 0.52, outputs.max(0) + 0.52
    together = matplotlib.patches.FancyBboxPatch(
        (left, bottom), right - left, top - bottom, facecolor="#e6eaf0",
        edgecolor="#b9c0cb", boxstyle="round,pad=0,rounding_size=0.2", zorder=1,
    )  # fmt: skip
    axes.add_patch(together)
    _arrow(axes, (right - 0.3, outputs[-1, 1]), _FUSION_PLACES["sum"], style.INK, 19)
    for edge in FUSION_EDGES:
        places = _FUSION_PLACES[edge.source], _FUSION_PLACES[edge.target]
        _edge(
            axes, *places, genotype.fusion[edge.name],
            _FUSION_LABELS.get(edge.name, 0.5), 10, shrink=19,
            control=_FUSION_CURVES.get(edge.name),
        )  # fmt: skip
    for node in FUSION_NODES:
        _node(axes, _FUSION_PLACES[node.name], node.name, 19, 11, boxed=node.project)
    for name, tap in zip(("P4", "P8", "P16"), skeleton.fusion_taps):
        x, y = _FUSION_PLACES[name]
        axes.text(
            x - 0.5, y, f"cell {tap}", ha="right", va="center", fontsize=10,
            color=style.MUTED,
        )  # fmt: skip
    x, y = _FUSION_PLACES["sum"]
    _node(axes, (x, y), "sum", 19, 11)
    axes.text(
        x, y - 0.62, "1×1 classifier,\nresize to input", ha="center", va="top",
        fontsize=10, color=style.MUTED,
    )  # fmt: skip
    x, y = _FUSION_PLACES["Q8"]
    axes.text(
        x - 0.1, y + 0.42, "1×1 projection", ha="right", va="bottom", fontsize=9,
        color=style.MUTED,
    )  # fmt: skip
    note = (
        "Several edges into a node are concatenated; arrows between rows double "
        "the resolution."
    )
    _title(figure, "Dense-connected fusion cell", note, height)
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
        _arrow(axes, _CELL_NODES[name], _CELL_NODES["output"], ink, 12, dashed=not alive)
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
    faint = faint or operation == "none"
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
    axes.add_patch(arrow)


def _shortened(axes, curve, shrink):
    """The curve without what lies within `shrink` points of its ends."""
    t = np.linspace(0, 1, 400)[:, None]
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
    handles = [
        matplotlib.lines.Line2D(
            [], [], color=ink, linewidth=3.5, label=name,
            linestyle="dashed" if name == "none" else "solid",
        )
        for name, ink in style.FAMILIES.items()
        if name in present
    ]  # fmt: skip
    figure.legend(
        handles=handles, loc="lower center", ncols=len(handles), frameon=False,
        fontsize=10, bbox_to_anchor=(0.5, 0.06 / height), handlelength=1.6,
    )  # fmt: skip
