"""How the cells' architectures depend on one another (Table VI)."""

import keras
from keras import ops

from lgcnet_tf.guidance.ggm import GAMMA, WIDTH, GCNGuidedModule

COMMUNICATIONS = ("ggm", "none")
"""`ggm` is the paper's; with `none` every cell decides for itself."""


class Communication(keras.layers.Layer):
    """α → α' for all cells, first to last, one module per adjacent pair.

    The previous cell's logits enter as already updated, so that a message can
    travel the whole network. It exists in search only.

    Args:
        mode: one of `COMMUNICATIONS`.
        width, gamma: as for `GCNGuidedModule`.

    Call arguments:
        alpha: logits, (cells, edges, operations).

    Returns:
        α', same shape; α'_0 = α_0.
    """

    def __init__(self, mode="ggm", width=WIDTH, gamma=GAMMA, **kwargs):
        super().__init__(**kwargs)
        if mode not in COMMUNICATIONS:
            raise ValueError(f"mode must be one of {COMMUNICATIONS}. Received: {mode!r}")
        self.mode = mode
        self.width = width
        self.gamma = gamma
        self.pairs = []

    def build(self, input_shape):
        cells = input_shape[0]
        if self.mode == "ggm":
            self.pairs = [
                GCNGuidedModule(self.width, self.gamma, name=f"ggm_{k}")
                for k in range(1, cells)
            ]
        for pair in self.pairs:
            pair.build(input_shape[1:])

    def call(self, alpha):
        if not self.pairs:
            return alpha
        updated = [alpha[0]]
        for k, pair in enumerate(self.pairs, start=1):
            updated.append(pair(alpha[k], updated[-1]))
        return ops.stack(updated)
