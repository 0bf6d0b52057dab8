"""The supernet in its plain form, the reference of `search_step.py`.

A chain of standard Keras layers for each candidate of each edge, called one by
one, multiplied by its Z and added up. `lgcnet_tf.model.Network` computes the same.
"""

import keras
from keras import layers, ops

from lgcnet_tf.model.plain_layers import AdaptiveAveragePool
from lgcnet_tf.space.cells import CELL_EDGES
from lgcnet_tf.space.operations import CELL_OPERATIONS
from lgcnet_tf.space.skeleton import size_at

_DILATIONS = {"sep_conv_3x3": 1} | {f"dil_sep_conv_3x3_d{d}": d for d in (2, 4, 8, 12)}
_BINS = {f"global_pool_{b}x{b}": b for b in (1, 2, 5)}


class PlainSupernet(keras.Model):
    """Takes and returns what the supernet `Network` does."""

    def __init__(self, skeleton, input_size):
        super().__init__()
        self.skeleton, self.size = skeleton, input_size
        self.num_classes = skeleton.num_classes
        self.chains = {}
        self.rescale = layers.Rescaling(1 / 127.5, offset=-1)
        for i, (channels, stride) in enumerate(zip(skeleton.stem_channels, (2, 1, 2))):
            self._chain(f"stem_{i}", _conv(channels, 3, stride), layers.ReLU())
        for spec in skeleton.cells:
            for source, stride in zip(("s0", "s1"), spec.source_strides):
                pool = [_halve()] if stride != spec.input_stride else []
                path = f"cell_{spec.index}/preprocess_{source}"
                self._chain(path, *pool, layers.ReLU(), _conv(spec.channels, 1))
            for edge, (source, target) in enumerate(CELL_EDGES):
                self._edge(
                    f"cell_{spec.index}/edge_{source}_{target}",
                    CELL_OPERATIONS,
                    spec.channels,
                    spec.edge_stride(edge),
                    None,
                )
        self.table, width = skeleton.fusion_cell, skeleton.fusion_channels
        for node in self.table.nodes:
            if node.name in self.table.inputs or node.project:
                self._chain(
                    f"fusion/reduce_{node.name}", _conv(width, 1), layers.ReLU()
                )
        strides = [skeleton.cells[tap].stride for tap in skeleton.taps]
        for edge in self.table.edges:
            self._edge(
                f"fusion/edge_{edge.source}_{edge.target}",
                edge.candidates,
                width,
                1,
                size_at(input_size, strides[self.table.levels[edge.target]]),
            )
        self.classifier = layers.Conv2D(skeleton.num_classes, 1)
        images = keras.KerasTensor((None, *input_size, 3))
        self(images, weights=keras.KerasTensor(skeleton.candidate_mask.shape))

    def _chain(self, path, *parts):
        flat = [
            p for part in parts for p in (part if isinstance(part, list) else [part])
        ]
        self.chains[path] = flat

    def _edge(self, path, operations, channels, stride, size):
        for name in operations:
            chain = _candidate(name, channels, stride, size)
            if chain:
                self._chain(f"{path}/{name}", *chain)

    def _run(self, path, x, training):
        for layer in self.chains[path]:
            x = layer(x, training=training)
        return x

    def _mixed(self, path, operations, x, z, size, training):
        total = 0.0
        for i, name in enumerate(operations):
            if name == "none":
                continue
            y = x
            if f"{path}/{name}" in self.chains:
                y = self._run(f"{path}/{name}", x, training)
            if name == "bilinear":
                y = ops.image.resize(x, size, interpolation="bilinear")
            if name == "deconv_3x3":
                y = y[:, : size[0], : size[1]]
            total = total + z[i] * y
        return total

    def call(self, images, weights=None, training=None):
        x = self.rescale(ops.cast(images, "float32"))
        for i in range(3):
            x = self._run(f"stem_{i}", x, training)
        outputs = [x, x]
        for spec in self.skeleton.cells:
            maps = {
                source: self._run(f"cell_{spec.index}/preprocess_{source}", y, training)
                for source, y in zip(("s0", "s1"), outputs[-2:])
            }
            for edge, (source, target) in enumerate(CELL_EDGES):
                path = f"cell_{spec.index}/edge_{source}_{target}"
                z = weights[spec.index * len(CELL_EDGES) + edge]
                y = self._mixed(path, CELL_OPERATIONS, maps[source], z, None, training)
                maps[target] = maps[target] + y if target in maps else y
            outputs.append(ops.concatenate([maps["n0"], maps["n1"]], axis=-1))
        maps = {
            name: self._run(f"fusion/reduce_{name}", outputs[2 + tap], training)
            for name, tap in zip(self.table.inputs, self.skeleton.taps)
        }
        strides = [self.skeleton.cells[tap].stride for tap in self.skeleton.taps]
        for node in self.table.nodes[len(self.table.inputs) :]:
            size = size_at(self.size, strides[node.level])
            parts = [
                self._mixed(
                    f"fusion/edge_{edge.source}_{edge.target}",
                    edge.candidates,
                    maps[edge.source],
                    weights[self.skeleton.cell_edges + self.table.edges.index(edge)],
                    size,
                    training,
                )
                for edge in self.table.edges_into(node.name)
            ]
            x = ops.concatenate(parts, axis=-1) if len(parts) > 1 else parts[0]
            if node.project:
                x = self._run(f"fusion/reduce_{node.name}", x, training)
            maps[node.name] = x
        x = sum(maps[name] for name in self.table.outputs)
        return ops.image.resize(self.classifier(x), self.size, interpolation="bilinear")

    def pairs(self, network):
        """(ours, plain) variables of equal meaning, of a supernet `Network`."""
        found = []
        for path, unit in network.units.items():
            chain = self.chains[path]
            mine = [v for layer in chain for v in layer.trainable_variables]
            mine += [v for layer in chain for v in layer.non_trainable_variables]
            theirs = unit.trainable_variables + unit.non_trainable_variables
            found += zip(theirs, mine, strict=True)
        found += zip(network.classifier.variables, self.classifier.variables)
        return found


class Subsample(layers.Layer):
    def call(self, x):
        return ops.max_pool(x, 1, strides=2, padding="same")


class ResizeTo(layers.Layer):
    def __init__(self, size):
        super().__init__()
        self.size = size

    def call(self, x):
        return ops.image.resize(x, self.size, interpolation="bilinear")


def _norm():
    return layers.BatchNormalization(
        momentum=0.9, epsilon=1e-5, center=False, scale=False
    )


def _conv(channels, kernel, stride=1):
    conv = layers.Conv2D(
        channels,
        kernel,
        stride,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
    )
    return [conv, _norm()]


def _halve():
    return layers.AveragePooling2D(2, padding="same")


def _candidate(name, channels, stride, size):
    if name in _DILATIONS:
        dilation, first = _DILATIONS[name], []
        if stride == 2 and dilation > 1:
            stride, dilation, first = 1, dilation // 2, [Subsample()]
        depthwise = layers.DepthwiseConv2D(
            3,
            stride,
            padding="same",
            dilation_rate=dilation,
            use_bias=False,
            depthwise_initializer="he_normal",
        )
        return [layers.ReLU(), *first, depthwise, _conv(channels, 1)]
    if name in _BINS:
        pool = AdaptiveAveragePool(_BINS[name])
        return [pool, layers.ReLU(), _conv(channels, 1), ResizeTo(size)]
    match name:
        case "skip_connect":
            return [] if stride == 1 else [_halve(), _conv(channels, 1)]
        case "max_pool_3x3":
            return [layers.MaxPooling2D(3, stride, padding="same"), _norm()]
        case "conv_3x3":
            return [layers.ReLU(), _conv(channels, 3, stride)]
        case "conv_1x1":
            return [layers.ReLU(), _conv(channels, 1)]
        case "deconv_3x3":
            deconv = layers.Conv2DTranspose(
                channels,
                3,
                2,
                padding="same",
                use_bias=False,
                kernel_initializer="he_normal",
            )
            return [layers.ReLU(), deconv, _norm()]
    return []
