"""The plain alternative to the GCN-guided module (Table VI, setting c)."""

import keras
from keras import ops


class FullyConnectedModule(keras.layers.Layer):
    """α'_k = α_k + γ · FC(α'_{k-1}), a layer over the flattened logits.

    Args:
        gamma: γ, as in Eq. 5.

    Call arguments:
        alpha: α_k, the current cell's logits, (edges, operations).
        previous: α'_{k-1}, the previous cell's updated logits, same shape.

    Returns:
        α'_k, (edges, operations).
    """

    def __init__(self, gamma, **kwargs):
        super().__init__(**kwargs)
        self.gamma = gamma

    def build(self, input_shape):
        edges, operations = input_shape
        self.dense = keras.layers.Dense(edges * operations, name="dense")
        self.dense.build((None, edges * operations))

    def call(self, alpha, previous):
        message = self.dense(ops.reshape(previous, (1, -1)))
        return alpha + self.gamma * ops.reshape(message, alpha.shape)
