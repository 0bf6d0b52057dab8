"""How the cells' architectures depend on one another (Tables VI and IX)."""

from collections.abc import Sequence

import keras
from keras import ops

from lgcnet_tf.guidance.fully_connected import FullyConnectedModule
from lgcnet_tf.guidance.ggm import GCNGuidedModule
from lgcnet_tf.guidance.settings import GAMMA, MODULES, WIDTH


def cell_kinds(mode: str, reductions: Sequence[bool]) -> tuple[int, ...]:
    """Which logits each of the K cells has: its own, or those of its kind.

    Args:
        mode: one of `MODULES`.
        reductions: for each cell whether it is a reduction cell.
    """
    if mode == "shared":
        return tuple(int(reduction) for reduction in reductions)
    return tuple(range(len(reductions)))


class Communication(keras.layers.Layer):
    """α → α' for all cells, first to last, one module per adjacent pair.

    The previous cell's logits enter as already updated, so that a message can
    travel the whole network. It exists in search only.

    At α's own rate the messages outrun α by orders of magnitude: within two hundred
    steps they decide every edge with certainty, and all edges of a cell alike. So the
    modules have an optimiser of their own, by default at `guidance_rate`.

    Args:
        mode: one of `MODULES`.
        reductions: for each of the K cells whether it is a reduction cell.
        width, gamma: as for `GCNGuidedModule`.

    Attributes:
        kinds: for each of the K cells which logits are its own, see `cell_kinds`.
        num_kinds: cells with logits of their own: K, or 2 where cells are shared.

    Call arguments:
        alpha: logits, (num_kinds, edges, operations); of shared cells first the
            normal one's, then the reduction cell's.

    Returns:
        α', (K, edges, operations); α'_0 = α_0.
    """

    SCOPE = "communication"
    """Name of the layer, by which `JointOptimizer` knows its variables."""

    def __init__(self, mode, reductions, width=WIDTH, gamma=GAMMA, **kwargs):
        super().__init__(**{"name": self.SCOPE} | kwargs)
        self.module = MODULES.find(mode)
        self.mode = mode
        self.reductions = tuple(bool(r) for r in reductions)
        self.kinds = cell_kinds(mode, self.reductions)
        self.num_kinds = 2 if mode == "shared" else len(self.reductions)
        self.width = width
        self.gamma = gamma
        self.pairs = []

    def build(self, input_shape):
        _, edges, operations = input_shape
        nodes = (edges, operations)
        if self.mode == "ggm_operation":
            nodes = (edges * operations, 1)
        for k in range(1, len(self.reductions)):
            if self.mode in ("ggm", "ggm_operation"):
                pair = GCNGuidedModule(self.width, self.gamma, name=f"ggm_{k}")
            elif self.mode == "fc":
                pair = FullyConnectedModule(self.gamma, name=f"fc_{k}")
            elif self.module:
                pair = self.module(
                    width=self.width, gamma=self.gamma, name=f"{self.mode}_{k}"
                )
            else:
                break
            pair.build(nodes)
            self.pairs.append(pair)

    def spread(self, per_kind):
        """(num_kinds, ...) → (K, ...): each cell's own, or that of its kind."""
        if self.mode != "shared":
            return per_kind
        return ops.stack([per_kind[kind] for kind in self.kinds])

    def call(self, alpha):
        if not self.pairs:
            return self.spread(alpha)
        shape = alpha.shape[1:]
        if self.mode == "ggm_operation":  # a node of the graph has a single logit
            alpha = ops.reshape(alpha, (alpha.shape[0], -1, 1))
        updated = [alpha[0]]
        for k, pair in enumerate(self.pairs, start=1):
            updated.append(pair(alpha[k], updated[-1]))
        return ops.reshape(ops.stack(updated), (len(updated), *shape))
