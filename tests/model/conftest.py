"""The operations' definitions in NumPy float64, loop over taps and nothing else."""

import dataclasses

import numpy as np
import pytest

from lgcnet_tf.model import network as network_module
from lgcnet_tf.model.cell import Cell
from lgcnet_tf.space.cells import CELL_EDGE_NAMES, NODES
from lgcnet_tf.space.pruning import liveness


def same_padding(size, kernel, stride, dilation=1):
    """TensorFlow's `same`: (before, after)."""
    reach = (kernel - 1) * dilation + 1
    total = max((-(-size // stride) - 1) * stride + reach - size, 0)
    return total // 2, total - total // 2


def windows(x, kernel, stride, dilation=1, fill=0.0):
    """Every tap's map: yields (row, column, (batch, out height, out width, c))."""
    height, width = x.shape[1:3]
    pads = [same_padding(n, kernel, stride, dilation) for n in (height, width)]
    padded = np.pad(x, ((0, 0), *pads, (0, 0)), constant_values=fill)
    rows, columns = -(-height // stride), -(-width // stride)
    for i in range(kernel):
        for j in range(kernel):
            top, left = i * dilation, j * dilation
            yield (
                i,
                j,
                padded[
                    :,
                    top : top + (rows - 1) * stride + 1 : stride,
                    left : left + (columns - 1) * stride + 1 : stride,
                ],
            )


class Oracle:
    """Maps are (batch, height, width, channels), kernels as Keras holds them."""

    @staticmethod
    def relu(x):
        return np.maximum(x, 0.0)

    @staticmethod
    def conv(x, kernel, stride=1, dilation=1):
        taps = windows(x, kernel.shape[0], stride, dilation)
        return sum(tap @ kernel[i, j] for i, j, tap in taps)

    @staticmethod
    def depthwise(x, kernel, stride=1, dilation=1):
        """The plain definition: dilate at full resolution, then subsample."""
        if dilation == 1:
            taps = windows(x, kernel.shape[0], stride)
            return sum(tap * kernel[i, j, :, 0] for i, j, tap in taps)
        taps = windows(x, kernel.shape[0], 1, dilation)
        full = sum(tap * kernel[i, j, :, 0] for i, j, tap in taps)
        return full[:, ::stride, ::stride]

    @staticmethod
    def deconv(x, kernel):
        """Stride 2: out[2i + k] += x[i] · kernel[k], cut at twice the size."""
        batch, height, width, _ = x.shape
        out = np.zeros((batch, 2 * height + 1, 2 * width + 1, kernel.shape[2]))
        for i in range(3):
            for j in range(3):
                part = x @ kernel[i, j].T
                out[:, i : i + 2 * height : 2, j : j + 2 * width : 2] += part
        return out[:, :-1, :-1]

    @staticmethod
    def max_pool(x, stride=1):
        taps = [tap for _, _, tap in windows(x, 3, stride, fill=-np.inf)]
        return np.max(taps, axis=0)

    @staticmethod
    def average_pool(x):
        """2×2, stride 2; at an odd border the mean of what is there."""
        total = sum(tap for _, _, tap in windows(x, 2, 2))
        return total / sum(tap for _, _, tap in windows(np.ones_like(x), 2, 2))

    @staticmethod
    def adaptive_pool(x, bins):
        batch, height, width, channels = x.shape
        out = np.empty((batch, bins, bins, channels))
        for i in range(bins):
            for j in range(bins):
                rows = slice(i * height // bins, -(-(i + 1) * height // bins))
                columns = slice(j * width // bins, -(-(j + 1) * width // bins))
                out[:, i, j] = x[:, rows, columns].mean(axis=(1, 2))
        return out

    @staticmethod
    def bilinear(x, size):
        """Between pixel centres, the border repeated."""
        for axis, target in enumerate(size, start=1):
            source = x.shape[axis]
            at = (np.arange(target) + 0.5) * source / target - 0.5
            at = np.clip(at, 0, source - 1)
            low = np.floor(at).astype(int)
            high = np.minimum(low + 1, source - 1)
            share = (at - low).reshape([-1 if a == axis else 1 for a in range(4)])
            x = np.take(x, low, axis) * (1 - share) + np.take(x, high, axis) * share
        return x

    @staticmethod
    def norm(x, layer):
        """Batch normalisation at inference with the layer's own statistics."""
        w = {v.name: np.asarray(v, "float64") for v in layer.variables}
        y = (x - w["moving_mean"]) / np.sqrt(w["moving_variance"] + 1e-5)
        return y * w.get("gamma", 1.0) + w.get("beta", 0.0)

    @classmethod
    def operation(cls, name, layer, x, stride=1, size=None):
        """A candidate operation by its name, with the weights of `layer`."""

        def kernel(part):
            return np.asarray(getattr(layer, part).kernel, "float64")

        if name == "none":
            return np.zeros_like(x[:, ::stride, ::stride])
        if name == "bilinear":
            return cls.bilinear(x, size)
        if name == "skip_connect":
            if stride == 1:
                return x
            y = cls.conv(cls.average_pool(x), kernel("conv"))
        elif name == "max_pool_3x3":
            y = cls.max_pool(x, stride)
        elif name in ("conv_1x1", "conv_3x3"):
            y = cls.conv(cls.relu(x), kernel("conv"), stride)
        elif name == "deconv_3x3":
            y = cls.deconv(cls.relu(x), kernel("conv"))
            y = y[:, : size[0], : size[1]]
        elif name.startswith("global_pool"):
            pooled = cls.adaptive_pool(x, int(name[-1]))
            y = cls.conv(cls.relu(pooled), kernel("conv"))
            return cls.bilinear(cls.norm(y, layer.norm), size)
        elif name.startswith("fusion_pool"):
            y = cls.conv(cls.adaptive_pool(x, int(name[-1])), kernel("conv"))
            return cls.bilinear(cls.relu(cls.norm(y, layer.norm)), size)
        elif name.startswith("fusion_"):
            dilation = int(name.split("_d")[-1]) if "_d" in name else 1
            y = cls.conv(x, kernel("conv"), 1, dilation)
            return cls.relu(cls.norm(y, layer.norm))
        else:
            dilation = int(name.split("_d")[-1]) if "dil" in name else 1
            y = cls.depthwise(cls.relu(x), kernel("depthwise"), stride, dilation)
            y = cls.conv(y, kernel("pointwise"))
        return cls.norm(y, layer.norm)


@pytest.fixture(scope="session")
def oracle():
    return Oracle


class UnprunedCell(Cell):
    """Has all of its edges and inputs; what is dead is multiplied by zero."""

    def __init__(self, spec, operations, live, *arguments, **kwargs):
        whole = dataclasses.replace(live, edges=(True,) * 5, nodes=NODES)
        super().__init__(spec, operations, whole, *arguments, **kwargs)
        for name, lives in zip(CELL_EDGE_NAMES, live.edges):
            if not lives:
                edge = self.edges[name]
                edge.call = lambda *inputs, call=edge.call, **named: (
                    0.0 * call(*inputs, **named)
                )


@pytest.fixture
def unpruned(monkeypatch):
    """Makes the network of a genotype in which every cell is there and whole."""

    def needed(*arguments):
        every = liveness(*arguments)
        return tuple(dataclasses.replace(live, needed=True) for live in every)

    def make(genotype, size):
        with monkeypatch.context() as patch:
            patch.setattr(network_module, "liveness", needed)
            patch.setattr(network_module, "Cell", UnprunedCell)
            return network_module.Network(genotype.skeleton, size, genotype)

    return make
