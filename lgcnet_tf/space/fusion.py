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

from lgcnet_tf.errors import InputError
from lgcnet_tf.extensions import Registry
from lgcnet_tf.space.fusion_table import (
    FusionEdge,
    FusionHead,
    FusionNode,
    FusionTable,
)

FUSIONS = ("dense", "none", "aspp", "ppm", "cas")
"""The rows of Table X: cells of `FUSION_CELLS`, heads of `FUSION_HEADS`, nothing."""


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

FUSION_CELLS = Registry("fusion cell", {"dense": DENSE, "cas": CAS})

_HEADS = {
    "aspp": FusionHead(
        branches=(
            "fusion_reduce_1x1",
            "fusion_conv_3x3_d6",
            "fusion_conv_3x3_d12",
            "fusion_conv_3x3_d18",
            "fusion_pool_1x1",
        ),
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

FUSION_HEADS = Registry("fusion head", _HEADS)


def fusion_names() -> tuple[str, ...]:
    """All that `Skeleton.fusion` can be."""
    added = (*FUSION_CELLS.names(), *FUSION_HEADS.names())
    return tuple(dict.fromkeys((*FUSIONS, *added)))


def register_fusion(name: str, table: FusionTable) -> None:
    """Adds a searched fusion cell, which the option `fusion` then takes.

    Args:
        name: none of `fusion_names`.
        table: its nodes and edges.

    Raises:
        InputError: there is another fusion of that name.

    Example:
        >>> import lgcnet_tf as lt
        >>> lt.register_fusion("single", lt.FusionTable(
        ...     title="single branch",
        ...     inputs=("P4",),
        ...     nodes=(lt.FusionNode("P4", 0), lt.FusionNode("Q4", 0)),
        ...     edges=(lt.FusionEdge("P4", "Q4", up=False),),
        ...     outputs=("Q4",)))
        >>> lt.Skeleton(fusion="single", fusion_taps=(0,)).taps
        (0,)
    """
    _refuse(name, "none", *FUSION_HEADS.names())
    FUSION_CELLS.register(name, table)


def register_head(name: str, head: FusionHead) -> None:
    """Adds a head that is not searched, which the option `fusion` then takes.

    Args:
        name: none of `fusion_names`.
        head: its branches, of the package's operations or of registered ones.

    Raises:
        InputError: there is another fusion of that name.

    Example:
        >>> import lgcnet_tf as lt
        >>> lt.register_head("pooled", lt.FusionHead(
        ...     branches=("fusion_conv_3x3", "fusion_pool_1x1"),
        ...     project="fusion_reduce_1x1"))
        >>> lt.Skeleton(fusion="pooled").taps
        (13,)
    """
    _refuse(name, "none", *FUSION_CELLS.names())
    FUSION_HEADS.register(name, head)


def _refuse(name: str, *others: str) -> None:
    if name in others:
        raise InputError(f"fusion: there is one called {name!r}; take another name.")
