"""How features are aggregated (Table X): searched cells and fixed heads as tables.

`dense` is the paper's dense-connected fusion cell (Fig. 5, section III-C). The
figure is not part of the paper's text. This reading meets every statement of
it: 9 nodes, 13 edges, three branches, every `Up2` doubles the resolution, middle
maps connected across branches by concatenation, the sum of three final maps as
output. Another reading is a change of this table alone.

`cas` stands for the searched multi-scale cell of CAS (Zhang et al., CVPR 2019),
of which the paper says that it takes strides 8 and 16 only. It is a
reconstruction, no copy: two searched branches at stride 16 in parallel, as
those of ASPP, doubled and concatenated with a searched branch at stride 8. Its
candidates are the dense cell's.

`aspp` is DeepLabv3's head and `ppm` PSPNet's, both on the last cell's output.
"""

import dataclasses
import functools

from lgcnet_tf.space.operations import FUSION_OPERATIONS, UP_OPERATIONS

FUSIONS = ("dense", "none", "aspp", "ppm", "cas")
"""The rows of Table X: cells of `FUSION_CELLS`, heads of `FUSION_HEADS`, nothing."""


@dataclasses.dataclass(frozen=True)
class FusionNode:
    """A feature map: `level` is the tap whose size it has, 0 the finest."""

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


@dataclasses.dataclass(frozen=True)
class FusionTable:
    """A searched fusion cell; the maps of several edges into a node are concatenated.

    Attributes:
        title: what it is called.
        inputs: the nodes fed by the taps, finest first.
        nodes: all nodes, in an order in which they can be computed, the inputs
            first.
        edges: the searched edges.
        outputs: the nodes of the finest level whose sum is the output.
    """

    title: str
    inputs: tuple[str, ...]
    nodes: tuple[FusionNode, ...]
    edges: tuple[FusionEdge, ...]
    outputs: tuple[str, ...]

    @functools.cached_property
    def keep_edges(self) -> tuple[FusionEdge, ...]:
        """The edges that keep the size of their map."""
        return tuple(edge for edge in self.edges if not edge.up)

    @functools.cached_property
    def up_edges(self) -> tuple[FusionEdge, ...]:
        """The edges that double it."""
        return tuple(edge for edge in self.edges if edge.up)

    @functools.cached_property
    def levels(self) -> dict[str, int]:
        """Level of each node by its name."""
        return {node.name: node.level for node in self.nodes}

    @functools.cached_property
    def folded(self) -> frozenset[str]:
        """The nodes whose maps go through a linear map: a projection, the classifier.

        As nothing stands between, that becomes part of the edges that end there
        when a network is deployed.
        """
        projected = (node.name for node in self.nodes if node.project)
        return frozenset((*projected, *self.outputs))

    @functools.cached_property
    def groups(self) -> tuple[tuple[FusionEdge, ...], ...]:
        """The edges, together those that leave one node for the output's maps.

        A deployed network adds such edges up, and does what several of them have
        in common but once (`operations.MERGEABLE`). All others stand alone.
        """
        groups: dict[object, list[FusionEdge]] = {}
        for edge in self.edges:
            alike = (edge.source, edge.up) if edge.target in self.outputs else edge
            groups.setdefault(alike, []).append(edge)
        return tuple(map(tuple, groups.values()))

    @property
    def output_maps(self) -> int:
        """How many maps of the cell's width the output holds side by side."""
        return len(self.edges_into(self.outputs[0]))

    def edges_into(self, node: str) -> tuple[FusionEdge, ...]:
        """The edges that end in `node`, in the order of the table."""
        return tuple(edge for edge in self.edges if edge.target == node)


@dataclasses.dataclass(frozen=True)
class FusionHead:
    """A head that is not searched: parallel branches, concatenated and projected.

    Attributes:
        branches: operations on the head's input, one for each branch.
        share: a branch has 1 / share of the head's width, rounded up.
        keeps_input: the input itself stands before the branches.
        project: operation from the concatenation to the head's width.
    """

    branches: tuple[str, ...]
    share: int
    keeps_input: bool
    project: str

    def branch_channels(self, width: int) -> int:
        """Channels of one branch of a head of `width`."""
        return -(-width // self.share)


DENSE = FusionTable(
    title="dense-connected fusion cell",
    inputs=("P4", "P8", "P16"),
    nodes=(
        FusionNode("P4", 0),
        FusionNode("P8", 1),
        FusionNode("P16", 2),
        FusionNode("Q16", 2),
        FusionNode("R16", 1),
        FusionNode("Q8", 1, project=True),
        FusionNode("S16", 0),
        FusionNode("R8", 0),
        FusionNode("Q4", 0),
    ),
    edges=(
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
    ),
    outputs=("S16", "R8", "Q4"),
)
"""Fig. 5: a branch starts at each tap, strides 4, 8 and 16 in the paper."""

CAS = FusionTable(
    title="multi-scale cell",
    inputs=("P8", "P16"),
    nodes=(
        FusionNode("P8", 0),
        FusionNode("P16", 1),
        FusionNode("Q16", 1),
        FusionNode("R16", 1),
        FusionNode("Q8", 0),
    ),
    edges=(
        FusionEdge("P16", "Q16", up=False),
        FusionEdge("P16", "R16", up=False),
        FusionEdge("Q16", "Q8", up=True),
        FusionEdge("R16", "Q8", up=True),
        FusionEdge("P8", "Q8", up=False),
    ),
    outputs=("Q8",),
)
"""Table X, d: strides 8 and 16 only."""

FUSION_CELLS = {"dense": DENSE, "cas": CAS}

FUSION_HEADS = {
    "aspp": FusionHead(
        branches=(
            "fusion_reduce_1x1",
            "fusion_conv_3x3_d6",
            "fusion_conv_3x3_d12",
            "fusion_conv_3x3_d18",
            "fusion_pool_1x1",
        ),
        share=1,
        keeps_input=False,
        project="fusion_reduce_1x1",
    ),
    "ppm": FusionHead(
        branches=(
            "fusion_pool_1x1",
            "fusion_pool_2x2",
            "fusion_pool_3x3",
            "fusion_pool_6x6",
        ),
        share=4,
        keeps_input=True,
        project="fusion_conv_3x3",
    ),
}
"""Table X, b and c; PSPNet too ends its module with a 3x3 conv."""
