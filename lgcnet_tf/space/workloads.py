"""Every piece of work of a network, with its shapes: what a table has to time."""

import dataclasses
import functools
import hashlib
import json

import numpy as np

from lgcnet_tf.space.cells import CELL_EDGES
from lgcnet_tf.space.operations import operation
from lgcnet_tf.space.pruning import live_parts
from lgcnet_tf.space.skeleton import Size, Skeleton, size_at

FIXED_OPERATIONS = (
    "stem_conv_3x3",
    "avg_pool_2x2",
    "preprocess_1x1",
    "fusion_reduce_1x1",
    "resize",
)
"""Parts of every network with a searched fusion cell, beside its edges."""

Shape = tuple[int, int, int]


@dataclasses.dataclass(frozen=True)
class Workload:
    """An operation with the (height, width, channels) of its input and output."""

    operation: str
    input_shape: Shape
    output_shape: Shape
    stride: int = 1

    @property
    def key(self) -> str:
        """For example `conv_3x3 90x120x32 45x60x64 s2`."""
        shapes = ("x".join(map(str, s)) for s in (self.input_shape, self.output_shape))
        return f"{self.operation} {' '.join(shapes)} s{self.stride}"

    @property
    def free(self) -> bool:
        """Whether a deployed network computes nothing for it."""
        return operation(self.operation).free(self.stride)


@dataclasses.dataclass(frozen=True)
class Workloads:
    """The work of a search space at one input size, in deployed form.

    Attributes:
        skeleton: the frame of the space.
        cells: [cell][edge][candidate], for the cells that anything reads.
        fusion: candidates of each edge of the fusion cell, by the edge's name;
            with what follows the edge folded in (`FusionTable.folded`).
        stem: what every network does before the cells.
        inputs: [cell][s0 or s1] → what brings the input to the cell's size and
            width; pruned where no live edge reads the input.
        taps: [tap] → what brings the tap to the fusion cell's width; pruned
            where the tap's cell is empty.
        head: what every network does after the cells.
        argmax: from logits to classes, which a deployed network does itself.
            Not among the others: tables measured without it stay valid.
    """

    skeleton: Skeleton
    cells: tuple[tuple[tuple[Workload, ...], ...], ...]
    fusion: dict[str, tuple[Workload, ...]]
    stem: tuple[Workload, ...]
    inputs: tuple[tuple[tuple[Workload, ...], ...], ...]
    taps: tuple[tuple[Workload, ...], ...]
    head: tuple[Workload, ...]
    argmax: Workload

    @property
    def fixed(self) -> tuple[Workload, ...]:
        """All but the edges: what a network does of which nothing is pruned."""
        inputs = (work for cell in self.inputs for source in cell for work in source)
        taps = (work for tap in self.taps for work in tap)
        return (*self.stem, *inputs, *taps, *self.head)

    def distinct(self) -> tuple[Workload, ...]:
        """Every different workload once, in a stable order."""
        edges = [edge for cell in self.cells for edge in cell]
        edges += self.fusion.values()
        flat = [work for edge in edges for work in edge]
        return tuple(dict.fromkeys([*flat, *self.fixed]))

    @functools.cached_property
    def columns(self) -> tuple[Workload, ...]:
        """What `counts` counts: every different workload, and the argmax."""
        return (*self.distinct(), self.argmax)

    @functools.cached_property
    def edge_columns(self) -> np.ndarray:
        """(E, candidates) ints, the column of each candidate of `Skeleton.edges`.

        -1 where there is none: past an edge's candidates, in cells that nothing reads.
        """
        place = {work: column for column, work in enumerate(self.columns)}
        edges, fusion = self.skeleton.edges, list(self.fusion.values())
        most = max(len(edge.candidates) for edge in edges)
        found = np.full((len(edges), most), -1)
        for row, edge in zip(found, edges):
            if edge.cell is None:
                works = fusion[edge.place]
            elif edge.cell < len(self.cells):
                works = self.cells[edge.cell][edge.place]
            else:
                continue
            row[: len(works)] = [place[work] for work in works]
        return found

    def counts(self, choices: np.ndarray) -> np.ndarray:
        """How often derived networks do each workload.

        As pruned: no edge that carries nothing, no cell that nothing reads, no input
        that no live edge of its cell reads, no empty tap, and in the fusion cell
        nothing that stems from empty taps alone. What edges of a group
        (`FusionTable.groups`) have in common is done once.

        Args:
            choices: (..., E) ints, places among the candidates of `Skeleton.edges`.

        Returns:
            (..., W) ints, W the workloads of `columns`.
        """
        choices = np.asarray(choices)
        rows = choices.reshape(-1, choices.shape[-1])
        live = live_parts(self.skeleton, rows)
        width = len(self.columns)
        chosen = self.edge_columns[np.arange(rows.shape[1]), rows]
        chosen += np.arange(len(rows))[:, None] * width
        done = live.edges & ~self._done_before(rows)
        found = np.bincount(chosen[done], minlength=len(rows) * width)
        found = found.reshape(len(rows), width)
        inputs, taps, always = self._other_columns
        for column, cell, source in inputs:
            found[:, column] += live.inputs[:, cell, source]
        for column, tap in taps:
            found[:, column] += live.taps[:, tap]
        return (found + always).reshape(*choices.shape[:-1], width)

    @functools.cached_property
    def _other_columns(self):
        """Column with cell and source, column with tap; how often each always is done."""
        place = {work: column for column, work in enumerate(self.columns)}
        inputs = [
            (place[work], cell, source)
            for cell, sources in enumerate(self.inputs)
            for source, works in enumerate(sources)
            for work in works
        ]
        taps = [(place[w], tap) for tap, works in enumerate(self.taps) for w in works]
        always = np.zeros(len(self.columns), int)
        for work in (*self.stem, *self.head, self.argmax):
            always[place[work]] += 1
        return inputs, taps, always

    def _done_before(self, choices):
        """(..., E) bool, whether an edge's operation is an earlier one's of its group."""
        found = np.zeros(choices.shape, bool)
        table = self.skeleton.fusion_cell
        if not table:
            return found
        place = {edge: index for index, edge in enumerate(table.edges)}
        _, fusion = self.skeleton.split(choices)
        _, before = self.skeleton.split(found)
        for group in table.groups:
            names = self.skeleton.fusion_candidates(group[0].up)
            merge = np.array([operation(name).mergeable for name in names])
            places = [place[edge] for edge in group]
            for index, later in enumerate(places):
                alike = fusion[..., places[:index]] == fusion[..., later, None]
                before[..., later] = alike.any(-1) & merge[fusion[..., later]]
        return found


def workloads(skeleton: Skeleton, input_size: Size) -> Workloads:
    """Lists the work of `skeleton`'s search space for images of `input_size`."""

    def shape(stride, channels):
        return (*size_at(input_size, stride), channels)

    stem, inputs, taps, head = [], [], [], []
    channels, stride = 3, 1
    for out, step in zip(skeleton.stem_channels, (2, 1, 2)):
        before, stride = shape(stride, channels), stride * step
        stem.append(Workload("stem_conv_3x3", before, shape(stride, out), step))
        channels = out

    cells = []
    for spec in skeleton.cells[: skeleton.last_cell + 1]:
        sources = []
        for source_stride, channels in zip(spec.source_strides, spec.source_channels):
            before, after = (
                shape(s, channels) for s in (source_stride, spec.input_stride)
            )
            pool = (Workload("avg_pool_2x2", before, after, 2),)
            reduced = shape(spec.input_stride, spec.channels)
            preprocess = Workload("preprocess_1x1", after, reduced)
            sources.append((*(pool if before != after else ()), preprocess))
        inputs.append(tuple(sources))
        after = shape(spec.stride, spec.channels)
        cells.append(
            tuple(
                tuple(
                    Workload(
                        name,
                        shape(spec.stride // spec.edge_stride(edge), spec.channels),
                        after,
                        spec.edge_stride(edge),
                    )
                    for name in skeleton.cell_operations
                )
                for edge in range(len(CELL_EDGES))
            )
        )

    fusion = {}
    last = skeleton.cells[skeleton.last_cell]
    output = shape(last.stride, last.output_channels)
    if skeleton.fusion_head:
        head, output = _fusion_head(skeleton, output)
    if skeleton.fusion_cell:
        fusion, taps, small = _fusion_cell(skeleton, shape)
    else:
        small = (*output[:2], skeleton.num_classes)
        head.append(Workload("classifier", output, small))
    logits = (*input_size, skeleton.num_classes)
    head.append(Workload("resize", small, logits))
    return Workloads(
        skeleton,
        tuple(cells),
        fusion,
        tuple(stem),
        tuple(inputs),
        tuple(taps),
        tuple(head),
        Workload("argmax", logits, (*input_size, 1)),
    )


def space_id(skeleton: Skeleton, input_size: Size) -> str:
    """Names a search space at an input size: tables fit exactly one."""
    text = json.dumps([w.key for w in workloads(skeleton, input_size).distinct()])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _fusion_cell(skeleton: Skeleton, shape):
    """Work on every edge and every tap; the shape of the logits before resizing."""
    table, width = skeleton.fusion_cell, skeleton.fusion_channels
    specs = [skeleton.cells[tap] for tap in skeleton.taps]
    maps = {
        name: shape(specs[level].stride, width) for name, level in table.levels.items()
    }
    logits = (*maps[table.outputs[0]][:2], skeleton.num_classes)
    edges = {}
    for edge in table.edges:
        after = logits if edge.target in table.outputs else maps[edge.target]
        folded = edge.target in table.folded
        edges[edge.name] = tuple(
            Workload(
                (folded and operation(name).with_conv) or name, maps[edge.source], after
            )
            for name in skeleton.fusion_candidates(edge.up)
        )
    taps = []
    for name, spec in zip(table.inputs, specs):
        before = shape(spec.stride, spec.output_channels)
        taps.append((Workload("fusion_reduce_1x1", before, maps[name]),))
    return edges, taps, logits


def _fusion_head(skeleton: Skeleton, before: Shape):
    """Work of the branches and the projection; the output's shape."""
    head, width = skeleton.fusion_head, skeleton.fusion_channels
    branch = (*before[:2], head.branch_channels(width))
    parts = [Workload(name, before, branch) for name in head.branches]
    channels = head.keeps_input * before[-1] + len(parts) * branch[-1]
    output = (*before[:2], width)
    parts.append(Workload(head.project, (*before[:2], channels), output))
    return parts, output
