"""Every piece of work of a network, with its shapes: what a table has to time."""

import dataclasses
import hashlib
import json

from lgcnet_tf.space.fusion import (
    FUSION_EDGES,
    FUSION_NODES,
    FusionEdge,
)
from lgcnet_tf.space.operations import CELL_OPERATIONS
from lgcnet_tf.space.skeleton import CELL_EDGES, Size, Skeleton, size_at

FIXED_OPERATIONS = (
    "stem_conv_3x3",
    "avg_pool_2x2",
    "preprocess_1x1",
    "fusion_reduce_1x1",
    "classifier",
    "resize",
)
"""Parts of every network, beside its edges."""

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


@dataclasses.dataclass(frozen=True)
class Workloads:
    """The work of a search space at one input size.

    Attributes:
        cells: [cell][edge][candidate], for the cells that anything reads.
        fusion: candidates of each edge of the fusion cell, by the edge's name.
        fixed: what every network of the space does besides.
    """

    cells: tuple[tuple[tuple[Workload, ...], ...], ...]
    fusion: dict[str, tuple[Workload, ...]]
    fixed: tuple[Workload, ...]

    def distinct(self) -> tuple[Workload, ...]:
        """Every different workload once, in a stable order."""
        edges = [edge for cell in self.cells for edge in cell]
        edges += self.fusion.values()
        flat = [work for edge in edges for work in edge]
        return tuple(dict.fromkeys([*flat, *self.fixed]))


def workloads(skeleton: Skeleton, input_size: Size) -> Workloads:
    """Lists the work of `skeleton`'s search space for images of `input_size`."""

    def shape(stride, channels):
        return (*size_at(input_size, stride), channels)

    fixed = []
    channels, stride = 3, 1
    for out, step in zip(skeleton.stem_channels, (2, 1, 2)):
        before, stride = shape(stride, channels), stride * step
        fixed.append(Workload("stem_conv_3x3", before, shape(stride, out), step))
        channels = out

    cells = []
    for spec in skeleton.cells[: skeleton.last_cell + 1]:
        for source_stride, channels in zip(spec.source_strides, spec.source_channels):
            before, after = (
                shape(s, channels) for s in (source_stride, spec.input_stride)
            )
            if before != after:
                fixed.append(Workload("avg_pool_2x2", before, after, 2))
            reduced = shape(spec.input_stride, spec.channels)
            fixed.append(Workload("preprocess_1x1", after, reduced))
        after = shape(spec.stride, spec.channels)
        cells.append(
            tuple(
                tuple(
                    Workload(
                        operation,
                        shape(spec.stride // spec.edge_stride(edge), spec.channels),
                        after,
                        spec.edge_stride(edge),
                    )
                    for operation in CELL_OPERATIONS
                )
                for edge in range(len(CELL_EDGES))
            )
        )

    fusion = {}
    last = skeleton.cells[skeleton.last_cell]
    stride, channels = last.stride, last.output_channels
    if skeleton.fusion == "dense":
        width = skeleton.fusion_channels
        strides = [skeleton.cells[tap].stride for tap in skeleton.fusion_taps]
        for tap, tap_stride in zip(skeleton.fusion_taps, strides):
            before = shape(tap_stride, skeleton.cells[tap].output_channels)
            after = shape(tap_stride, width)
            fixed.append(Workload("fusion_reduce_1x1", before, after))
        for edge in FUSION_EDGES:
            fusion[edge.name] = _fusion_edge(edge, strides, width, shape)
        for node in FUSION_NODES:
            if node.project:
                before = shape(strides[node.level], 2 * width)
                after = shape(strides[node.level], width)
                fixed.append(Workload("fusion_reduce_1x1", before, after))
        stride, channels = strides[0], 3 * width
    small = shape(stride, skeleton.num_classes)
    fixed.append(Workload("classifier", shape(stride, channels), small))
    fixed.append(Workload("resize", small, (*input_size, skeleton.num_classes)))
    return Workloads(tuple(cells), fusion, tuple(fixed))


def space_id(skeleton: Skeleton, input_size: Size) -> str:
    """Names a search space at an input size: tables fit exactly one."""
    text = json.dumps([w.key for w in workloads(skeleton, input_size).distinct()])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _fusion_edge(edge: FusionEdge, strides, width, shape) -> tuple[Workload, ...]:
    levels = {node.name: node.level for node in FUSION_NODES}
    before, after = (
        shape(strides[levels[name]], width) for name in (edge.source, edge.target)
    )
    return tuple(Workload(op, before, after) for op in edge.candidates)


