"""The mixed operation and the cell made of it."""

from keras import ops

from lgcnet_tf.model.form import Form
from lgcnet_tf.model.operations import build_operation
from lgcnet_tf.model.sampling import select_candidate
from lgcnet_tf.model.units import Composite, Unit, build_for
from lgcnet_tf.space.cells import CELL_EDGE_NAMES, CELL_EDGES, CellSpec
from lgcnet_tf.space.operations import operation
from lgcnet_tf.space.pruning import CellLiveness
from lgcnet_tf.space.skeleton import size_at


class MixedOp(Composite):
    """An edge: Σ_o Z_o · o(x) over its candidates (Eq. 3), or its one operation.

    Args:
        operations: candidates' names; a single one is the derived network's.
        channels, stride, size: as for `build_operation`.
        form: of the network; its sampling is for edges with several candidates.

    Attributes:
        samples_one: whether only the candidate of largest Z is evaluated.

    Call arguments:
        x: (batch, height, width, channels).
        weights: Z of the edge, (candidates,); unused by a single operation.
    """

    def __init__(self, operations, channels, stride, size, form: Form, **kwargs):
        super().__init__(**kwargs)
        self.operations = tuple(operations)
        self.candidates = [
            build_operation(name, channels, stride, size, form.normalization, name=name)
            for name in self.operations
        ]
        self.samples_one = form.sampling == "hard" and len(self.candidates) > 1
        self.traces = form.traces
        if self.samples_one:
            for candidate in self.candidates:
                if isinstance(candidate, Unit) and not candidate.folded:
                    candidate.norm.use_batch_statistics = True
        self.key = (self.operations, channels, stride, size)

    def build(self, input_shape):
        for candidate in self.candidates:
            build_for(candidate, input_shape[-1])

    def call(self, x, weights=None, training=None):
        if len(self.candidates) == 1:
            return self.candidates[0](x, training=training)

        def mix(x, weights):
            if self.samples_one:
                return select_candidate(self.candidates, x, weights)
            return sum(
                candidate(x, weights[index], training=training)
                for index, candidate in enumerate(self.candidates)
                if operation(self.operations[index]).carries
            )

        if self.traces is None:
            return mix(x, weights)
        return self.traces((*self.key, training), self.candidates, mix, x, weights)


class Cell(Composite):
    """A cell of the backbone: two inputs, two nodes, five edges (Eq. 2).

    Args:
        spec: place, strides and widths.
        operations: for each edge the names of its candidates, or the one chosen.
        live: what of it does anything; the rest is left out.
        input_size: (height, width) of the image.
        form: of the network.

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
        form: Form,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.channels = spec.channels
        self.nodes = live.nodes
        self.pools, self.preprocess, self.edges = {}, {}, {}
        for source, stride in zip(("s0", "s1"), spec.source_strides):
            if not live.reads(source):
                continue
            if stride != spec.input_stride:
                self.pools[source] = build_operation("avg_pool_2x2", 0)
            self.preprocess[source] = build_operation(
                "preprocess_1x1",
                spec.channels,
                normalization=form.normalization,
                name=f"preprocess_{source}",
            )
        for index, (source, target) in enumerate(CELL_EDGES):
            if live.edges[index]:
                self.edges[CELL_EDGE_NAMES[index]] = MixedOp(
                    operations[index],
                    spec.channels,
                    spec.edge_stride(index),
                    size_at(input_size, spec.stride),
                    form,
                    name=f"edge_{source}_{target}",
                )

    def build(self, input_shape):
        for source, shape in zip(("s0", "s1"), input_shape):
            if source in self.preprocess:
                build_for(self.preprocess[source], shape[-1])
        for edge in self.edges.values():
            build_for(edge, self.channels)

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
            maps[target] = maps[target] + y if target in maps else y
        outputs = [maps[node] for node in self.nodes]
        return ops.concatenate(outputs, axis=-1) if outputs else None
