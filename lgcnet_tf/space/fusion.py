"""The dense-connected fusion cell as a table (Fig. 5, section III-C).

The figure is not part of the paper's text. This reading meets every statement
of it: 9 nodes, 13 edges, three branches, every `Up2` doubles the resolution,
middle maps connected across branches by concatenation, the sum of three final
maps as output. Another reading is a change of this table alone.
"""

import dataclasses

from lgcnet_tf.space.operations import FUSION_OPERATIONS, UP_OPERATIONS


@dataclasses.dataclass(frozen=True)
class FusionNode:
    """A feature map: `branch` it starts from, and how often it was doubled.

    Branch 0 starts at the highest tap (stride 4 in the paper), 2 at the lowest
    (stride 16). `level` is the tap whose size the map has.
    """

    name: str
    level: int
    project: bool = False  # concatenated inputs go through a 1x1 conv


@dataclasses.dataclass(frozen=True)
class FusionEdge:
    """A directed edge; `up` edges go from one level to the next finer one."""

    source: str
    target: str
    up: bool

    @property
    def name(self) -> str:
        return f"{self.source}->{self.target}"

    @property
    def candidates(self) -> tuple[str, ...]:
        return UP_OPERATIONS if self.up else FUSION_OPERATIONS


FUSION_INPUTS = ("P4", "P8", "P16")
"""The nodes fed by the taps, finest first."""

FUSION_NODES = (
    FusionNode("P4", 0),
    FusionNode("P8", 1),
    FusionNode("P16", 2),
    FusionNode("Q16", 2),
    FusionNode("R16", 1),
    FusionNode("Q8", 1, project=True),
    FusionNode("S16", 0),
    FusionNode("R8", 0),
    FusionNode("Q4", 0),
)
"""The nine nodes in an order in which they can be computed."""

FUSION_EDGES = (
    FusionEdge("P16", "Q16", up=False),
    FusionEdge("Q16", "R16", up=True),
    FusionEdge("Q16", "Q8", up=True),
    FusionEdge("P8", "Q8", up=False),
    FusionEdge("R16", "S16", up=True),
    FusionEdge("Q8", "S16", up=True),
    FusionEdge("P4", "S16", up=False),
    FusionEdge("R16", "R8", up=True),
    FusionEdge("Q8", "R8", up=True),
    FusionEdge("P4", "R8", up=False),
    FusionEdge("R16", "Q4", up=True),
    FusionEdge("Q8", "Q4", up=True),
    FusionEdge("P4", "Q4", up=False),
)
"""The thirteen edges."""

FUSION_OUTPUTS = ("S16", "R8", "Q4")
"""The maps whose sum is the output."""

FUSION_KEEP_EDGES = tuple(e for e in FUSION_EDGES if not e.up)
FUSION_UP_EDGES = tuple(e for e in FUSION_EDGES if e.up)


def edges_into(node: str) -> tuple[FusionEdge, ...]:
    """The edges that end in `node`, in the order of the table."""
    return tuple(e for e in FUSION_EDGES if e.target == node)
