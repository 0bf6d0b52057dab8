"""What describes an aggregation of features: a searched cell, or a fixed head."""

import dataclasses
import functools

from lgcnet_tf.errors import InputError
from lgcnet_tf.space.operations import FUSION_OPERATIONS, UP_OPERATIONS


@dataclasses.dataclass(frozen=True)
class FusionNode:
    """A feature map of a fusion cell.

    Attributes:
        name: of the figure: `P4`.
        level: the tap whose size it has, 0 the finest.
        project: whether its concatenated inputs go through a 1x1 convolution.

    Example:
        >>> import lgcnet_tf as lt
        >>> lt.FusionNode("Q8", level=1, project=True)
        FusionNode(name='Q8', level=1, project=True)
    """

    name: str
    level: int
    project: bool = False


@dataclasses.dataclass(frozen=True)
class FusionEdge:
    """A searched edge of a fusion cell.

    Attributes:
        source, target: names of nodes.
        up: whether it goes to the next finer level, and doubles its map.

    Example:
        >>> import lgcnet_tf as lt
        >>> edge = lt.FusionEdge("P8", "Q4", up=True)
        >>> edge.name, edge.candidates
        ('P8->Q4', ('deconv_3x3', 'bilinear'))
    """

    source: str
    target: str
    up: bool

    @property
    def name(self) -> str:
        return f"{self.source}->{self.target}"

    @property
    def candidates(self) -> tuple[str, ...]:
        """The paper's; `Skeleton.fusion_candidates` has those of a space."""
        return UP_OPERATIONS if self.up else FUSION_OPERATIONS


@dataclasses.dataclass(frozen=True)
class FusionTable:
    """A searched fusion cell; the maps of several edges into a node are concatenated.

    Attributes:
        title: what it is called.
        inputs: the nodes fed by the taps, finest first, one for each level.
        nodes: all nodes, in an order in which they can be computed, the inputs
            first.
        edges: the searched edges.
        outputs: the nodes of the finest level whose sum is the output. Nothing reads
            them, and as many edges end in each.

    Raises:
        InputError: nodes and edges do not fit together.

    Example:
        >>> import lgcnet_tf as lt
        >>> table = lt.FusionTable(
        ...     title="two levels",
        ...     inputs=("P4", "P8"),
        ...     nodes=(lt.FusionNode("P4", 0), lt.FusionNode("P8", 1),
        ...            lt.FusionNode("Q4", 0)),
        ...     edges=(lt.FusionEdge("P4", "Q4", up=False),
        ...            lt.FusionEdge("P8", "Q4", up=True)),
        ...     outputs=("Q4",))
        >>> [edge.name for edge in table.edges_into("Q4")]
        ['P4->Q4', 'P8->Q4']
    """

    title: str
    inputs: tuple[str, ...]
    nodes: tuple[FusionNode, ...]
    edges: tuple[FusionEdge, ...]
    outputs: tuple[str, ...]

    def __post_init__(self):
        for name in ("inputs", "nodes", "edges", "outputs"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if problem := self._problem():
            raise InputError(f"fusion table {self.title!r}: {problem}.")

    def _problem(self) -> str:
        """What does not fit together; empty if all does."""
        names = [node.name for node in self.nodes]
        if not self.inputs or len(set(names)) < len(names):
            return "it needs inputs, and each node a name of its own"
        if tuple(names[: len(self.inputs)]) != self.inputs:
            return f"its nodes must begin with the inputs {', '.join(self.inputs)}"
        if [self.levels[name] for name in self.inputs] != [*range(len(self.inputs))]:
            return "its inputs must have the levels 0, 1, … in this order"
        if not self.outputs or not set(self.outputs) <= set(names) - set(self.inputs):
            return "its outputs must be nodes that are no inputs"
        if len({edge.name for edge in self.edges}) < len(self.edges):
            return "two edges lead from one node to one other"
        order = [name for name in names if name not in self.inputs]
        order = {name: place for place, name in enumerate(order)}
        for edge in self.edges:
            before = order.get(edge.source, -1 if edge.source in names else len(names))
            if before >= order.get(edge.target, -1):
                return f"the edge {edge.name} must lead from a node to a later one"
            if self.levels[edge.source] - self.levels[edge.target] != edge.up:
                words = "one level finer" if edge.up else "on its source's level"
                return f"the edge {edge.name} must end {words}"
            if edge.source in self.outputs:
                return f"the edge {edge.name} leaves an output"
        for node in self.nodes[len(self.inputs) :]:
            maps, ends = len(self.edges_into(node.name)), node.name in self.outputs
            if not maps:
                return f"no edge ends in {node.name}"
            if ends and (node.level or node.project or maps != self.output_maps):
                return (
                    f"the output {node.name} must have level 0, no projection and "
                    "as many edges as the other outputs"
                )
            if maps > 1 and not ends and not node.project:
                return f"{node.name} has several maps and needs project=True"
        return ""

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
        project: operation from the concatenation to the head's width.
        share: a branch has 1 / share of the head's width, rounded up.
        keeps_input: the input itself stands before the branches.

    Raises:
        InputError: no branches, two that are the same, or no such share.

    Example:
        >>> import lgcnet_tf as lt
        >>> head = lt.FusionHead(
        ...     branches=("skip_connect", "sep_conv_3x3"), project="conv_3x3", share=2)
        >>> head.branch_channels(48)
        24
    """

    branches: tuple[str, ...]
    project: str
    share: int = 1
    keeps_input: bool = False

    def __post_init__(self):
        object.__setattr__(self, "branches", tuple(self.branches))
        if not self.branches or len(set(self.branches)) < len(self.branches):
            raise InputError(
                "fusion head: branches must be different operations. "
                f"Received: {self.branches}"
            )
        if type(self.share) is not int or self.share < 1:
            raise InputError(
                "fusion head: share must be a whole number of at least 1. "
                f"Received: {self.share!r}"
            )

    def branch_channels(self, width: int) -> int:
        """Channels of one branch of a head of `width`."""
        return -(-width // self.share)
