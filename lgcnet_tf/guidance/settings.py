"""What can be chosen here, and the paper's choice; nothing heavy is imported with it."""

COMMUNICATIONS = ("ggm", "ggm_operation", "fc", "shared", "none")
"""`ggm` is the paper's, over the graph of the edges; `ggm_operation` is over
that of the single operations (Table IX); `fc` has a fully connected layer
instead; with `none` every cell decides for itself; with `shared` there are but
two kinds of cell, the normal one and the reduction cell (Table VI)."""

WIDTH = 64
"""d of the paper, best in Table VIII."""

GAMMA = 0.5
"""γ of the paper."""
