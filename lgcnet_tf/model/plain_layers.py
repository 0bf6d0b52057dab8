"""Layers without weights, of which operations are made or are."""

import keras
import numpy as np
from keras import ops


class AdaptiveAveragePool(keras.layers.Layer):
    """Means over bins × bins windows; PyTorch's `adaptive_avg_pool2d`.

    Bin i of n covers rows floor(i·h/n) to ceil((i+1)·h/n) - 1. It is two small
    matrix products, for Keras 3.15's own layer fails on TensorFlow where the
    bins divide the map.
    """

    def __init__(self, bins, **kwargs):
        super().__init__(**kwargs)
        self.bins = bins

    def _matrix(self, size):
        matrix = np.zeros((self.bins, size), "float32")
        for i in range(self.bins):
            start, stop = i * size // self.bins, -(-(i + 1) * size // self.bins)
            matrix[i, start:stop] = 1.0 / (stop - start)
        return ops.convert_to_tensor(matrix, self.compute_dtype)

    def call(self, x):
        if self.bins == 1:
            return ops.mean(x, axis=(1, 2), keepdims=True)
        x = ops.einsum("ph,bhwc->bpwc", self._matrix(x.shape[1]), x)
        return ops.einsum("qw,bpwc->bpqc", self._matrix(x.shape[2]), x)


class Resize(keras.layers.Layer):
    """Bilinear interpolation to a static (height, width)."""

    def __init__(self, size, **kwargs):
        super().__init__(**kwargs)
        self.size = tuple(size)

    def call(self, x, weight=None):
        if tuple(x.shape[1:3]) != self.size:
            x = ops.image.resize(x, self.size, interpolation="bilinear")
        return x if weight is None else x * weight


class LogitsResize(Resize):
    """That of the logits to the image's size: in float32 whatever the precision."""

    def __init__(self, size, dtype="float32", **kwargs):
        super().__init__(size, dtype=dtype, **kwargs)


class Identity(keras.layers.Layer):
    """`skip_connect` at stride 1."""

    def call(self, x, weight=None):
        return x if weight is None else x * weight


class Zero(keras.layers.Layer):
    """`none`: zeros of the output's shape; only where nothing else is on an edge."""

    def __init__(self, stride=1, **kwargs):
        super().__init__(**kwargs)
        self.stride = stride

    def call(self, x, weight=None):
        return ops.zeros_like(x[:, :: self.stride, :: self.stride, :])
