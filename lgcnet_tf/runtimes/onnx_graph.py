"""What the runtimes of ONNX graphs share: making one, and its order of axes."""

import keras
import numpy as np

from lgcnet_tf.runtimes.base import Runtime


def onnx_of(
    runtime: Runtime,
    layer: keras.layers.Layer,
    input_shape: tuple[int, ...],
    input_dtype: str,
    precision: str,
    symmetric: bool = False,
) -> bytes:
    """The layer as an ONNX graph.

    Args:
        runtime: has the images for `int8`.
        layer, input_shape, input_dtype: as for `Runtime.convert`.
        precision: float32, float16 or int8.
        symmetric: as for `convert.onnx_int8.quantize`.
    """
    from lgcnet_tf.convert import onnx, onnx_int8  # imports what a file does not need

    model = onnx.to_onnx(layer, input_shape, input_dtype)
    if precision == "float32":
        return model
    if precision == "float16":
        return onnx.to_half(model)
    batches = runtime.batches(input_shape, input_dtype)
    return onnx_int8.quantize(
        model, map(to_graph, batches), symmetric, runtime.images.method
    )


def to_graph(x: np.ndarray, shape: tuple[int, ...] | None = None) -> np.ndarray:
    """Brings an input to the order of an ONNX graph made by `convert.onnx`.

    Args:
        x: uint8 images, which such a graph takes as they are, or maps
            (batch, height, width, channels).
        shape: the graph's; what already has it stays as it is.
    """
    if x.ndim != 4 or x.dtype == np.uint8 or x.shape == shape:
        return x
    return np.ascontiguousarray(x.transpose(0, 3, 1, 2))


def from_graph(y: np.ndarray, input_dtype: str) -> np.ndarray:
    """Brings maps (batch, channels, height, width) back; leaves masks alone."""
    if y.ndim != 4 or input_dtype == "uint8":
        return y
    return y.transpose(0, 2, 3, 1)
