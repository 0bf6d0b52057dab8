"""Layers as LiteRT (`.tflite`) models."""

from collections.abc import Iterable

import keras
import numpy as np

from lgcnet_tf.convert.graph import frozen, layer_function
from lgcnet_tf.convert.quiet import quiet


def to_litert(
    layer: keras.layers.Layer,
    input_shape: tuple[int, ...],
    input_dtype: str = "uint8",
    batches: Iterable[np.ndarray] | None = None,
) -> bytes:
    """Converts a layer or model with one input and one output.

    TensorFlow's converter reads the frozen graph itself; Keras' way over a
    SavedModel gives the same model and takes longer than the conversion.

    Args:
        layer, input_shape, input_dtype: as for `graph.layer_function`.
        batches: inputs that the ranges of the activations are taken from; with
            them weights and activations have 8 bits, and so have maps of
            features that come in or go out.

    Raises:
        InputError: Keras is not on TensorFlow.
    """
    function = layer_function(layer, input_shape, input_dtype)
    import tensorflow as tf

    concrete = frozen(function)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], function)
    if batches is not None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([batch] for batch in batches)
        if np.dtype(input_dtype).kind == "f":
            converter.inference_input_type = tf.int8
            converter.inference_output_type = tf.int8
    with quiet():
        return converter.convert()
