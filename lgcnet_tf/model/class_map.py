"""From logits to classes."""

from typing import Any

import keras
from keras import ops


class ClassMap(keras.Model):
    """A network with its argmax: logits are large and stay in the graph.

    Returns:
        The class of each pixel, uint8 (batch, height, width).
    """

    def __init__(self, network: keras.Model, **kwargs):
        super().__init__(**kwargs)
        self.network = network

    def build(self, input_shape):
        """Nothing to build; the network is."""

    def call(self, images, training=None):
        return class_map(self.network(images, training=training))


def class_map(logits: Any) -> Any:
    """The class of each pixel: logits (..., classes), at most 256, to uint8 (...)."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        # Keras first replaces negative zeros, in six passes over the logits.
        return tf.cast(tf.argmax(logits, -1, output_type="int32"), "uint8")
    return ops.cast(ops.argmax(logits, axis=-1), "uint8")
