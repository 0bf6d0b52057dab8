"""What can be chosen here, and the paper's choice; nothing heavy is imported with it."""

from collections.abc import Callable
from typing import Any

from lgcnet_tf.extensions import Registry

COMMUNICATIONS = ("ggm", "ggm_operation", "fc", "shared", "none")
"""`ggm` is the paper's, over the graph of the edges; `ggm_operation` is over
that of the single operations (Table IX); `fc` has a fully connected layer
instead; with `none` every cell decides for itself; with `shared` there are but
two kinds of cell, the normal one and the reduction cell (Table VI)."""

MODULES: Registry[Callable[..., Any] | None] = Registry(
    "communication", dict.fromkeys(COMMUNICATIONS)
)
"""Those, and what makes the modules of added ones."""

WIDTH = 64
"""d of the paper, best in Table VIII."""

GAMMA = 0.5
"""γ of the paper."""


def guidance_rate(alpha_lr: float, width: int, num_cells: int) -> float:
    """The modules' usual rate: α's, divided by d and by how many stand in a row.

    A message is a sum over d hidden units, and each of Adam's steps moves every weight
    by the rate, whatever its gradient: hence d (the rule of maximal update
    parametrisation for Adam). Each module passes on what it received, so what one step
    moves grows with their number: hence that.
    """
    return alpha_lr / (width * max(1, num_cells - 1))


def register_communication(name: str, module: Callable[..., Any]) -> None:
    """Adds a way in which adjacent cells communicate, which `communication` then takes.

    Args:
        name: none of the package's.
        module: called as `module(width=…, gamma=…, name=…)` for each pair of cells,
            returns a Keras layer. It is built with (edges, operations) and called with
            the logits of a cell and the updated ones of the cell before, both of that
            shape; returns the updated logits of the cell.

    Raises:
        InputError: it is a name of the package's own.

    Example:
        >>> import lgcnet_tf as lt
        >>> from lgcnet_tf.guidance.fully_connected import FullyConnectedModule
        >>> lt.register_communication(
        ...     "weak_fc", lambda width, gamma, name: FullyConnectedModule(0.1, name=name))
    """
    MODULES.register(name, module)
