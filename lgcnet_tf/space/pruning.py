"""Which parts of a network do anything: the rest is never built."""

import dataclasses
from collections.abc import Sequence

from lgcnet_tf.space.skeleton import CELL_EDGES, NODES, Skeleton


@dataclasses.dataclass(frozen=True)
class CellLiveness:
    """The live parts of one cell.

    Attributes:
        edges: for each of the 5 edges, whether it carries anything: its
            operation is not `none` and the map it leaves is there.
        nodes: the nodes that have at least one live edge, in order; the
            cell's output is their concatenation.
        needed: something that is read by the fusion cell or the classifier
            depends on this cell.
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
    found: list[CellLiveness] = []
    for index, cell in enumerate(cells):
        older, newer = (
            k < 0 or bool(found[k].nodes) for k in (index - 2, index - 1)
        )
        present = {"s0": older, "s1": newer}
        edges = []
        for (source, target), names in zip(CELL_EDGES, cell):
            live = tuple(names) != ("none",) and present.get(source, False)
            present[target] = present.get(target, False) or live
            edges.append(live)
        nodes = tuple(node for node in NODES if present[node])
        found.append(CellLiveness(tuple(edges), nodes, False))

    taps = (skeleton.last_cell,)
    needed = set(skeleton.fusion_taps if skeleton.fusion != "none" else taps)
    for index in reversed(range(len(found))):
        if index in needed:
            found[index] = dataclasses.replace(found[index], needed=True)
            needed |= {index - 2} if found[index].reads("s0") else set()
            needed |= {index - 1} if found[index].reads("s1") else set()
    return tuple(found)
