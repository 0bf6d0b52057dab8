"""The GCN-guided module between two adjacent cells (III-C, Eq. 5–7)."""

import keras
from keras import ops

from lgcnet_tf.guidance.settings import GAMMA, WIDTH


class GCNGuidedModule(keras.layers.Layer):
    """Delivers the previous cell's architecture to the current one.

    Every edge of a cell is a node of the reasoning graph ("edge similarity").

    Args:
        width: d, the width of the embedding, 64 in the paper (Table VIII).
        gamma: γ of Eq. 5, how much of the message is added.

    Call arguments:
        alpha: α_k, the current cell's logits, (edges, operations).
        previous: α'_{k-1}, the previous cell's updated logits, same shape.

    Returns:
        α'_k, (edges, operations).
    """

    def __init__(self, width=WIDTH, gamma=GAMMA, **kwargs):
        super().__init__(**kwargs)
        self.width = width
        self.gamma = gamma

    def build(self, input_shape):
        operations = input_shape[-1]
        self.w1 = self.add_weight(shape=(operations, operations), name="w1")
        self.w2 = self.add_weight(shape=(operations, operations), name="w2")
        self.w = self.add_weight(shape=(self.width, self.width), name="w")
        self.phi1 = keras.layers.Dense(self.width, name="phi1")
        self.phi2 = keras.layers.Dense(operations, name="phi2")
        self.phi1.build((None, operations))
        self.phi2.build((None, self.width))

    def adjacency(self, alpha, previous):
        """A = softmax over rows of (α_k W_1)(α'_{k-1} W_2)^T, Eq. 6."""
        similarity = ops.matmul(
            ops.matmul(alpha, self.w1), ops.transpose(ops.matmul(previous, self.w2))
        )
        return ops.softmax(similarity, axis=-1)

    def reason(self, adjacency, x):
        """G(X) = A X W + X, one graph convolution with a residual, Eq. 7."""
        return ops.matmul(ops.matmul(adjacency, x), self.w) + x

    def call(self, alpha, previous):
        x = self.phi1(previous)
        message = self.phi2(self.reason(self.adjacency(alpha, previous), x))
        return alpha + self.gamma * message
