"""Transposed convolutions as plain ones and a shuffle of pixels, for TensorRT.

TensorFlow tells a transposed convolution the size of its output, with the batch. Where
the batch is free that is a tensor, and TF-TRT takes a constant alone: it left each of
them, and what computes their sizes, outside of the engine. A transposed convolution of
stride s is a plain one with s² times the channels, of which every s² are a square of
s by s pixels (Shi et al., 2016, https://arxiv.org/abs/1609.07009).
"""

import contextlib
import functools
from collections.abc import Iterator

import keras
import numpy as np

from lgcnet_tf.model.units import sublayers


@contextlib.contextmanager
def pixel_shuffles(layer: keras.layers.Layer) -> Iterator[None]:
    """Within the block, transposed convolutions are plain ones when traced.

    Args:
        layer: Keras on TensorFlow, channels last, built. Of its transposed
            convolutions those with padding "same", one stride for height and width
            and no dilation are changed, which are all of this package's.
    """
    changed = []
    try:
        for part in sublayers(layer):
            if isinstance(part, keras.layers.Conv2DTranspose) and _can_be(part):
                kernel = keras.ops.convert_to_numpy(part.kernel)
                changed.append(part)
                part.__dict__["call"] = functools.partial(
                    _shuffled, part, *plain_kernel(kernel, part.strides[0])
                )
        yield
    finally:
        for part in changed:
            del part.__dict__["call"]


def plain_kernel(
    kernel: np.ndarray, stride: int
) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """The plain convolution that a transposed one is.

    Args:
        kernel: (height, width, outputs, inputs), as Keras has it, for padding "same".
        stride: of height and width.

    Returns:
        The kernel (height, width, inputs, stride² · outputs), whose outputs are in the
        order that `tf.nn.depth_to_space` takes, and the rows and columns of zeros
        before and after the input.
    """
    margins = [_margins(size, stride) for size in kernel.shape[:2]]
    height, width = (before + after + 1 for before, after in margins)
    outputs, inputs = kernel.shape[2:]
    plain = np.zeros((height, width, inputs, stride, stride, outputs), kernel.dtype)
    rows, columns = (_places(size, stride) for size in kernel.shape[:2])
    for y, (row, phase_y) in enumerate(rows):
        for x, (column, phase_x) in enumerate(columns):
            plain[row, column, :, phase_y, phase_x] = kernel[y, x].T
    return plain.reshape(height, width, inputs, -1), margins


def _margins(size: int, stride: int) -> tuple[int, int]:
    """How many inputs before and after its own an output pixel is made of."""
    skipped = _skipped(size, stride)
    return (size - 1 - skipped) // stride, (skipped + stride - 1) // stride


def _places(size: int, stride: int) -> list[tuple[int, int]]:
    """The row in the plain kernel and the phase of each tap of a transposed one.

    Output o = stride · q + phase has tap t of input i where
    t = o + skipped - stride · i.
    """
    before, _ = _margins(size, stride)
    skipped = _skipped(size, stride)
    found = (divmod(tap - skipped, stride) for tap in range(size))
    return [(before - inputs_back, phase) for inputs_back, phase in found]


def _skipped(size: int, stride: int) -> int:
    """Outputs that padding "same" cuts off at the beginning."""
    return max(size - stride, 0) // 2


def _can_be(layer: keras.layers.Conv2DTranspose) -> bool:
    return (
        layer.padding == "same"
        and layer.strides[0] == layer.strides[1]
        and max(layer.dilation_rate) == 1
        and layer.output_padding is None
        and layer.data_format == "channels_last"
    )


def _shuffled(layer: keras.layers.Conv2DTranspose, kernel, margins, x):
    import tensorflow as tf

    x = tf.cast(x, layer.compute_dtype)
    if np.any(margins):
        x = tf.pad(x, [(0, 0), *margins, (0, 0)])
    y = tf.nn.conv2d(x, tf.constant(kernel, x.dtype), 1, "VALID")
    if layer.strides[0] > 1:
        y = tf.nn.depth_to_space(y, layer.strides[0])
    if layer.bias is not None:
        y = tf.nn.bias_add(y, tf.cast(tf.convert_to_tensor(layer.bias), y.dtype))
    return layer.activation(y)
