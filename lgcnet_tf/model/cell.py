"""The mixed operation, the cell made of it, and the fusion cell."""

from keras import ops

from lgcnet_tf.model.operations import build_operation
from lgcnet_tf.model.units import Composite
from lgcnet_tf.space.fusion import (
    FUSION_EDGES,
    FUSION_INPUTS,
    FUSION_NODES,
    FUSION_OUTPUTS,
    edges_into,
)
from lgcnet_tf.space.pruning import CellLiveness
from lgcnet_tf.space.skeleton import (
    CELL_EDGE_NAMES,
    CELL_EDGES,
    NODES,
    CellSpec,
    Skeleton,
    size_at,
)


class MixedOp(Composite):
    """An edge: Σ_o Z_o · o(x) over its candidates (Eq. 3), or its one operation.

    Args:
        operations: candidates' names; a single one is the derived network's.
        channels, stride, size, normalization: as for `build_operation`.

    Call arguments:
        x: (batch, height, width, channels).
        weights: Z of the edge, (candidates,); unused by a single operation.
    """

    def __init__(
        self, operations, channels, stride, size, normalization, **kwargs
    ):
        super().__init__(**kwargs)
        self.operations = tuple(operations)
        self.candidates = [
            build_operation(name, channels, stride, size, normalization, name=name)
            for name in self.operations
        ]

    def call(self, x, weights=None, training=None):
        if len(self.candidates) == 1:
            return self.candidates[0](x, training=training)
        return sum(
            candidate(x, weights[index], training=training)
            for index, candidate in enumerate(self.candidates)
            if self.operations[index] != "none"
        )


class Cell(Composite):
    """A cell of the backbone: two inputs, two nodes, five edges (Eq. 2).

    Args:
        spec: place, strides and widths.
        operations: for each edge the names of its candidates, or the one chosen.
        live: what of it does anything; the rest is left out.
        input_size: (height, width) of the image.
        normalization: as in `units`.
        prune: False builds the dead parts too and multiplies them by zero.

    Call arguments:
        inputs: s0 and s1, None where absent.
        weights: Z of the cell, (5, 8); unused by a derived network.

    Returns:
        (batch, height, width, nodes * channels), or None without any node.
    """

    def __init__(
        self,
        spec: CellSpec,
        operations,
        live: CellLiveness,
        input_size,
        normalization,
        prune=True,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.live = live
        self.nodes = live.nodes if prune else NODES
        self.pools, self.preprocess, self.edges = {}, {}, {}
        for source, stride in zip(("s0", "s1"), spec.source_strides):
            if prune and not live.reads(source):
                continue
            if stride != spec.input_stride:
                self.pools[source] = build_operation("avg_pool_2x2", 0)
            self.preprocess[source] = build_operation(
                "preprocess_1x1",
                spec.channels,
                normalization=normalization,
                name=f"preprocess_{source}",
            )
        for index, (source, target) in enumerate(CELL_EDGES):
            if live.edges[index] or not prune:
                self.edges[CELL_EDGE_NAMES[index]] = MixedOp(
                    operations[index],
                    spec.channels,
                    spec.edge_stride(index),
                    size_at(input_size, spec.stride),
                    normalization,
                    name=f"edge_{source}_{target}",
                )

    def call(self, inputs, weights=None, training=None):
        maps = {}
        for source, x in zip(("s0", "s1"), inputs):
            if source in self.pools:
                x = self.pools[source](x)
            if source in self.preprocess:
                maps[source] = self.preprocess[source](x, training=training)
        for index, (source, target) in enumerate(CELL_EDGES):
            edge = self.edges.get(CELL_EDGE_NAMES[index])
            if edge is None:
                continue
            z = None if weights is None else weights[index]
            y = edge(maps[source], z, training=training)
            if not self.live.edges[index]:
                y = 0.0 * y
            maps[target] = maps[target] + y if target in maps else y
        outputs = [maps[node] for node in self.nodes]
        return ops.concatenate(outputs, axis=-1) if outputs else None


class FusionCell(Composite):
    """The dense-connected fusion cell (III-C, Fig. 5) of `space.fusion`.

    Args:
        skeleton: taps and width.
        operations: for each edge's name its candidates, or the one chosen.
        sources: for each tap whether the map is there at all.
        input_size: (height, width) of the image.
        normalization: as in `units`.

    Call arguments:
        inputs: the taps' maps, finest first, None where absent.
        weights: Z by the edge's name, each (candidates,); None if derived.

    Returns:
        (batch, height / 4, width / 4, 3 * fusion_channels).
    """

    def __init__(
        self, skeleton: Skeleton, operations, sources, input_size, normalization, **kwargs
    ):
        super().__init__(**kwargs)
        width = skeleton.fusion_channels
        strides = [skeleton.cells[tap].stride for tap in skeleton.fusion_taps]
        self.sources = dict(zip(FUSION_INPUTS, sources))
        self.sizes = {n.name: size_at(input_size, strides[n.level]) for n in FUSION_NODES}
        self.width = width
        reduced = [name for name, present in self.sources.items() if present]
        reduced += [node.name for node in FUSION_NODES if node.project]
        self.reduce = {
            name: build_operation(
                "fusion_reduce_1x1",
                width,
                normalization=normalization,
                name=f"reduce_{name}",
            )
            for name in reduced
        }
        self.edges = {
            edge.name: MixedOp(
                operations[edge.name],
                width,
                1,
                self.sizes[edge.target],
                normalization,
                name=f"edge_{edge.source}_{edge.target}",
            )
            for edge in FUSION_EDGES
        }

    def call(self, inputs, weights=None, training=None):
        batch = ops.shape(next(x for x in inputs if x is not None))[0]
        maps = {}
        for name, x in zip(FUSION_INPUTS, inputs):
            if self.sources[name]:
                maps[name] = self.reduce[name](x, training=training)
            else:
                shape = (batch, *self.sizes[name], self.width)
                maps[name] = ops.zeros(shape, self.compute_dtype)
        for node in FUSION_NODES[len(FUSION_INPUTS) :]:
            parts = [
                self.edges[edge.name](
                    maps[edge.source],
                    None if weights is None else weights[edge.name],
                    training=training,
                )
                for edge in edges_into(node.name)
            ]
            x = ops.concatenate(parts, axis=-1) if len(parts) > 1 else parts[0]
            if node.project:
                x = self.reduce[node.name](x, training=training)
            maps[node.name] = x
        return sum(maps[name] for name in FUSION_OUTPUTS)
