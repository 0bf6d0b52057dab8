"""A cell's nodes and edges, and what is fixed about one of them (III-A, III-B)."""

import dataclasses

CELL_EDGES = (("s0", "n0"), ("s1", "n0"), ("s0", "n1"), ("s1", "n1"), ("n0", "n1"))
"""The p = 5 edges of a cell: two inputs s0 (older) and s1, two nodes n0 and n1."""

CELL_EDGE_NAMES = tuple(f"{source}->{target}" for source, target in CELL_EDGES)
NODES = ("n0", "n1")


@dataclasses.dataclass(frozen=True)
class Edge:
    """A searched edge.

    Attributes:
        name: `cell 3 s0->n1` or `fusion P16->Q16`.
        cell: index of its cell; None in the fusion cell.
        place: among the edges of its cell, or of the fusion cell.
        stride: 2 where its map is halved.
        candidates: the operations that can stand on it.
    """

    name: str
    cell: int | None
    place: int
    stride: int
    candidates: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class CellSpec:
    """One cell: its place, its strides and its widths.

    Attributes:
        index: position, from 0.
        stride: stride of the nodes and of the output, against the image.
        input_stride: stride of the newer input s1; half of `stride` in a
            reduction cell.
        source_strides: strides of s0 and s1 as they arrive.
        source_channels: channels of s0 and s1 as they arrive.
        channels: channels of each node; the output has twice as many.
    """

    index: int
    stride: int
    input_stride: int
    source_strides: tuple[int, int]
    source_channels: tuple[int, int]
    channels: int

    @property
    def reduction(self) -> bool:
        return self.stride != self.input_stride

    @property
    def output_channels(self) -> int:
        return len(NODES) * self.channels

    def edge_stride(self, edge: int) -> int:
        """2 for the edges that leave the inputs of a reduction cell, else 1."""
        return 2 if self.reduction and CELL_EDGES[edge][0].startswith("s") else 1
