"""The candidate operations, by name (Tables II and III of the paper)."""

CELL_OPERATIONS = (
    "none",
    "skip_connect",
    "max_pool_3x3",
    "conv_3x3",
    "sep_conv_3x3",
    "dil_sep_conv_3x3_d2",
    "dil_sep_conv_3x3_d4",
    "dil_sep_conv_3x3_d8",
)
"""Table II, the q = 8 candidates of an edge of a cell."""

FUSION_OPERATIONS = (
    "conv_1x1",
    "conv_3x3",
    "sep_conv_3x3",
    "dil_sep_conv_3x3_d2",
    "dil_sep_conv_3x3_d4",
    "dil_sep_conv_3x3_d8",
    "dil_sep_conv_3x3_d12",
    "global_pool_1x1",
    "global_pool_2x2",
    "global_pool_5x5",
)
"""Table III, the candidates of an edge of the fusion cell that keeps its size."""

UP_OPERATIONS = ("deconv_3x3", "bilinear")
"""Section III-C, the candidates of an `Up2` edge of the fusion cell."""

FOLLOWED = {"bilinear": "bilinear_1x1"}
"""Of the fusion cell's operations those that have no kernel for a 1x1 convolution
that follows them to become part of, and what they are called with one."""

MERGEABLE = tuple(
    name for name in (*FUSION_OPERATIONS, *UP_OPERATIONS) if "sep_conv" not in name
)
"""Operations with at most one kernel: two of the same map, added up, equal one with
the sum of their kernels."""
