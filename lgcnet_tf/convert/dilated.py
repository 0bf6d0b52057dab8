"""Dilated depthwise convolutions as one native operation, for TensorRT.

TensorFlow writes such a layer as SpaceToBatchND, a plain depthwise convolution and
BatchToSpaceND, and TensorRT takes neither the first nor the last. Its own operation
has an attribute for dilations too. GPUs compute that rightly; on a CPU TensorFlow
refuses it without oneDNN and computes it rightly with it, while its gradient there
is wrong: so this form is for exports alone, and they say so (`SERVED_ON`). ONNX has
it from `convert.onnx` in any case, as a grouped convolution.
"""

import contextlib
import functools
from collections.abc import Iterable, Iterator

import keras

from lgcnet_tf.model.units import sublayers

SERVED_ON = "tensorrt"
"""Value of "served_on" in `lgcnet.json` of an export of this form."""
SPACE_TO_BATCH = ("SpaceToBatchND", "BatchToSpaceND")

_CONVERTED = frozenset(
    (
        "Add", "AddV2", "ArgMax", "AvgPool", "BiasAdd", "ConcatV2", "Const", "Conv2D",
        "DepthToSpace", "DepthwiseConv2dNative", "Einsum", "FusedBatchNormV3", "Identity",
        "MatMul", "MaxPool", "Maximum", "Mean", "Minimum", "Mul", "Pack", "Pad", "Relu",
        "Relu6", "Reshape", "Shape", "Sigmoid", "Softmax", "Squeeze", "StridedSlice",
        "Sub", "Transpose",
    )
)  # fmt: skip
"""What TF-TRT of TensorFlow 2.17 converts, with the batch as a dimension of its own, of
the operations of such networks: not casts from and to uint8, resizing with half-pixel
centres, nor transposed convolutions whose batch is free (`convert.transposed`)."""
_OUTSIDE = frozenset(("NoOp", "Placeholder"))


@contextlib.contextmanager
def native_dilation(layer: keras.layers.Layer) -> Iterator[None]:
    """Within the block, dilated depthwise convolutions are one operation when traced.

    Args:
        layer: Keras on TensorFlow, channels last.
    """
    changed = []
    try:
        for part in sublayers(layer):
            dilated = isinstance(part, keras.layers.DepthwiseConv2D)
            if dilated and max(part.dilation_rate) > 1:
                changed.append(part)
                part.__dict__["call"] = functools.partial(_native, part)
        yield
    finally:
        for part in changed:
            del part.__dict__["call"]


def left_out(operations: Iterable[str]) -> list[str]:
    """The operations of a frozen graph that TF-TRT would not put into an engine.

    Args:
        operations: the type of each of its nodes.
    """
    return [one for one in operations if one not in _CONVERTED | _OUTSIDE]


def _native(layer: keras.layers.DepthwiseConv2D, x):
    import tensorflow as tf

    x = tf.cast(x, layer.compute_dtype)
    kernel = tf.cast(tf.convert_to_tensor(layer.kernel), layer.compute_dtype)
    y = tf.raw_ops.DepthwiseConv2dNative(
        input=x,
        filter=kernel,
        strides=(1, *layer.strides, 1),
        padding=layer.padding.upper(),
        dilations=(1, *layer.dilation_rate, 1),
    )
    return y if layer.bias is None else tf.nn.bias_add(y, layer.bias)
