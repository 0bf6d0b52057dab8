"""TensorFlow graphs of layers: traced, and with their variables as constants."""

from collections.abc import Callable

import keras
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import (
    convert_variables_to_constants_v2,
)

from lgcnet_tf.convert.precision import computing_in
from lgcnet_tf.errors import InputError

INPUT, OUTPUT = "input", "output"


def layer_function(
    layer: keras.layers.Layer,
    input_shape: tuple[int, ...],
    input_dtype: str,
    precision: str = "float32",
    output: str = OUTPUT,
    name: str = INPUT,
) -> Callable[[tf.Tensor], dict[str, tf.Tensor]]:
    """Traces a layer at inference, as a `tf.function` of one static input.

    Args:
        layer: a layer or model with one input and one output.
        input_shape: with the batch, (batch, height, width, channels).
        input_dtype: maps of features (floats) come in `precision`.
        precision: as for `computing_in`.
        output, name: names of the output and of the input.

    Raises:
        InputError: Keras does not run on TensorFlow.
    """
    if keras.backend.backend() != "tensorflow":
        raise InputError(
            "A conversion needs KERAS_BACKEND=tensorflow. Received: "
            f"{keras.backend.backend()}."
        )
    if tf.as_dtype(input_dtype).is_floating:
        input_dtype = precision
    spec = tf.TensorSpec(input_shape, input_dtype, name)
    with computing_in(layer, precision):
        function = tf.function(
            lambda x: {output: layer(x, training=False)}, input_signature=[spec]
        )
        function.get_concrete_function()
    return function


def frozen(function: Callable, *specs: tf.TensorSpec):
    """The concrete function with constants in place of its variables."""
    if not hasattr(function, "get_concrete_function"):
        function = tf.function(function)
    return convert_variables_to_constants_v2(function.get_concrete_function(*specs))
