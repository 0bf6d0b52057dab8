"""Which parts of a network do anything: the rest is never built."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from lgcnet_tf.space.cells import CELL_EDGES, NODES
from lgcnet_tf.space.operations import operation
from lgcnet_tf.space.skeleton import Skeleton


@dataclasses.dataclass(frozen=True)
class CellLiveness:
    """The live parts of one cell.

    Attributes:
        edges: for each of the 5 edges, whether it carries anything: its
            operation is not `none` and the map it leaves is there.
        nodes: the nodes that have at least one live edge, in order; the
            cell's output is their concatenation.
        needed: something that is read by the fusion or the classifier depends on
            this cell.
    """

    edges: tuple[bool, ...]
    nodes: tuple[str, ...]
    needed: bool

    def reads(self, source: str) -> bool:
        """Whether a live edge leaves `source`."""
        return any(live and e[0] == source for live, e in zip(self.edges, CELL_EDGES))


def liveness(
    skeleton: Skeleton, cells: Sequence[Sequence[Sequence[str]]]
) -> tuple[CellLiveness, ...]:
    """Follows maps forwards (is there anything?) and backwards (is it read?).

    Args:
        skeleton: the frame.
        cells: [cell][edge] → names of the operations on the edge, all the
            candidates in a supernet or a single one in a derived network.
    """
    carries = [
        [any(operation(name).carries for name in names) for names in cell]
        for cell in cells
    ]
    found = liveness_of(skeleton, np.array(carries))
    return tuple(
        CellLiveness(
            tuple(bool(edge) for edge in edges),
            tuple(name for name, live in zip(NODES, nodes) if live),
            bool(needed),
        )
        for edges, nodes, needed in zip(found.edges, found.nodes, found.needed)
    )


@dataclasses.dataclass(frozen=True)
class Liveness:
    """The live parts of many networks at once; fields as in `CellLiveness`.

    Attributes:
        edges: (..., K, 5) bool.
        nodes: (..., K, 2) bool.
        needed: (..., K) bool.
        has_path: (...,) bool, whether anything leads from the image to what
            the network's end reads; without it there is no network.
    """

    edges: np.ndarray
    nodes: np.ndarray
    needed: np.ndarray
    has_path: np.ndarray


def liveness_of(skeleton: Skeleton, carries: np.ndarray) -> Liveness:
    """`liveness` of many networks at once.

    Args:
        skeleton: the frame.
        carries: (..., K, 5) bool, whether the edge's operation is not `none`.
    """
    edges = np.array(carries, bool)
    *batch, cells, _ = edges.shape
    nodes = np.zeros((*batch, cells, len(NODES)), bool)
    present = [np.ones(batch, bool)] * 2  # of the stem, then of each cell
    for cell in range(cells):
        maps = dict.fromkeys(NODES, np.zeros(batch, bool))
        maps |= {"s0": present[-2], "s1": present[-1]}
        for edge, (source, target) in enumerate(CELL_EDGES):
            edges[..., cell, edge] &= maps[source]
            maps[target] = maps[target] | edges[..., cell, edge]
        for index, node in enumerate(NODES):
            nodes[..., cell, index] = maps[node]
        present.append(nodes[..., cell, :].any(-1))

    taps = list(skeleton.taps)
    needed = np.zeros((*batch, cells), bool)
    needed[..., taps] = True
    read = reads(edges)
    for cell in reversed(range(cells)):
        for source, before in enumerate((cell - 2, cell - 1)):
            if before >= 0:
                needed[..., before] |= needed[..., cell] & read[..., cell, source]
    return Liveness(edges, nodes, needed, nodes[..., taps, :].any((-2, -1)))


@dataclasses.dataclass(frozen=True)
class LiveParts:
    """What is built of each of many networks.

    Attributes:
        edges: (..., E) bool, edges of `Skeleton.edges` that carry what is read.
        inputs: (..., K, 2) bool, whether s0 and s1 of a cell are read.
        taps: (..., taps) bool, whether a tap's cell has an output; empty without a
            searched fusion cell.
        has_path: as in `Liveness`.
    """

    edges: np.ndarray
    inputs: np.ndarray
    taps: np.ndarray
    has_path: np.ndarray


def live_parts(skeleton: Skeleton, choices: np.ndarray) -> LiveParts:
    """Prunes networks.

    Args:
        choices: (..., E) ints, places among the candidates of `Skeleton.edges`.
    """
    cells, _ = skeleton.split(choices)
    live = liveness_of(skeleton, skeleton.cell_carries[cells])
    needed = live.needed[..., None]
    edges, inputs = live.edges & needed, reads(live.edges) & needed
    taps = np.zeros((*choices.shape[:-1], 0), bool)
    fusion = taps
    if skeleton.fusion_cell:
        taps = live.nodes[..., list(skeleton.taps), :].any(-1)
        fusion = fusion_liveness(skeleton, taps)
    return LiveParts(skeleton.joined(edges, fusion), inputs, taps, live.has_path)


def fusion_liveness(skeleton: Skeleton, taps: np.ndarray) -> np.ndarray:
    """Which edges of the fusion cell depend on the image.

    What stems from empty taps alone is constant, and runtimes compute it once,
    when they load the network.

    Args:
        skeleton: the frame, with a fusion cell.
        taps: (..., taps) bool, whether the tap's cell has an output.

    Returns:
        (..., edges) bool, the edges whose source does, in the table's order.
    """
    table = skeleton.fusion_cell
    live = {name: taps[..., index] for index, name in enumerate(table.inputs)}
    for node in table.nodes[len(table.inputs) :]:
        sources = [live[edge.source] for edge in table.edges_into(node.name)]
        live[node.name] = np.stack(sources, -1).any(-1)
    return np.stack([live[edge.source] for edge in table.edges], -1)


def reads(edges: np.ndarray) -> np.ndarray:
    """Which inputs live edges leave: (..., K, 5) bool → (..., K, 2), s0 and s1."""
    leaving = [
        [index for index, edge in enumerate(CELL_EDGES) if edge[0] == source]
        for source in ("s0", "s1")
    ]
    return np.stack([edges[..., indices].any(-1) for indices in leaving], -1)
