"""The searched fusion cell, by the tables of `space.fusion`."""

from keras import ops

from lgcnet_tf.errors import InputError
from lgcnet_tf.model.cell import MixedOp
from lgcnet_tf.model.form import Form
from lgcnet_tf.model.operations import build_operation
from lgcnet_tf.model.units import Composite, Unit, build_for
from lgcnet_tf.space.operations import operation
from lgcnet_tf.space.skeleton import Skeleton, size_at


class ReducedTaps(Composite):
    """What fusion cells, searched and deployed, start with: taps of one width.

    Args:
        skeleton: table, taps and width.
        sources: for each tap whether the map is there at all.
        input_size: (height, width) of the image.
        form: of the network.

    Attributes:
        table, width: of the fusion cell.
        readers: by the name of each unit that reads a tap's map, the tap.
        sizes: (height, width) of each node's map.
        reduce: by the tap's node the unit that brings it to the width.
    """

    def __init__(self, skeleton: Skeleton, sources, input_size, form: Form, **kwargs):
        super().__init__(**kwargs)
        self.table = table = skeleton.fusion_cell
        self.width = skeleton.fusion_channels
        self.form = form
        strides = [skeleton.cells[tap].stride for tap in skeleton.taps]
        self.sources = dict(zip(table.inputs, sources))
        self.sizes = {
            name: size_at(input_size, strides[level])
            for name, level in table.levels.items()
        }
        self.readers = {f"reduce_{name}": tap for tap, name in enumerate(table.inputs)}
        self.reduce = {
            name: self.reduction(name) for name, there in self.sources.items() if there
        }

    def reduction(self, node):
        """A 1x1 convolution to the cell's width."""
        return build_operation(
            "fusion_reduce_1x1",
            self.width,
            normalization=self.form.normalization,
            name=f"reduce_{node}",
        )

    def build(self, input_shape):
        for name, shape in zip(self.table.inputs, input_shape):
            if self.sources[name]:
                build_for(self.reduce[name], shape[-1])

    def reduced(self, inputs, training=None):
        """The taps' maps by node, each (batch, height, width, `width`)."""
        batch = ops.shape(next(x for x in inputs if x is not None))[0]
        maps = {}
        for name, x in zip(self.table.inputs, inputs):
            if self.sources[name]:
                maps[name] = self.reduce[name](x, training=training)
            else:
                shape = (batch, *self.sizes[name], self.width)
                maps[name] = ops.zeros(shape, self.compute_dtype)
        return maps


class FusionCell(ReducedTaps):
    """A searched fusion cell (III-C, Fig. 5), by the skeleton's `FusionTable`.

    Args:
        skeleton, sources, input_size, form: as for `ReducedTaps`.
        operations: for each edge's name its candidates, or the one chosen.

    Attributes:
        reduce: the projections too, by their nodes.
        channels: of the output.

    Call arguments:
        inputs: the taps' maps, finest first, None where absent.
        weights: Z by the edges of the table, (edges, C); None if derived.

    Returns:
        (batch, height, width, output_maps * fusion_channels) at the finest
        tap's size.

    Raises:
        InputError: an added operation that cannot be deployed there.
    """

    def __init__(
        self,
        skeleton: Skeleton,
        operations,
        sources,
        input_size,
        form: Form,
        **kwargs,
    ):
        super().__init__(skeleton, sources, input_size, form, **kwargs)
        table = self.table
        self.channels = table.output_maps * self.width
        for node in table.nodes:
            if node.project:
                self.reduce[node.name] = self.reduction(node.name)
        self.edges = {
            edge.name: MixedOp(
                operations[edge.name],
                self.width,
                1,
                self.sizes[edge.target],
                form,
                name=f"edge_{edge.source}_{edge.target}",
            )
            for edge in table.edges
        }
        for edge in table.edges:
            if edge.target in table.folded:
                self._check_foldable(self.edges[edge.name])

    def _check_foldable(self, edge):
        for name, layer in zip(edge.operations, edge.candidates):
            if not isinstance(layer, Unit) and not operation(name).with_conv:
                raise InputError(
                    f"operation {name!r}: in a fusion cell a deployed network makes the "
                    "1x1 convolution that follows part of it; so its layer must be a "
                    "`Unit`, or `with_conv` name the operation that is both."
                )

    def build(self, input_shape):
        super().build(input_shape)
        for node in self.table.nodes:
            if node.project:
                parts = len(self.table.edges_into(node.name))
                build_for(self.reduce[node.name], parts * self.width)
        for edge in self.edges.values():
            build_for(edge, self.width)

    def call(self, inputs, weights=None, training=None):
        maps = self.reduced(inputs, training)
        z = {}
        if weights is not None:
            for row, (name, edge) in enumerate(self.edges.items()):
                z[name] = weights[row, : len(edge.candidates)]
        for node in self.table.nodes[len(self.table.inputs) :]:
            parts = [
                self.edges[edge.name](
                    maps[edge.source], z.get(edge.name), training=training
                )
                for edge in self.table.edges_into(node.name)
            ]
            x = ops.concatenate(parts, axis=-1) if len(parts) > 1 else parts[0]
            if node.project:
                x = self.reduce[node.name](x, training=training)
            maps[node.name] = x
        return sum(maps[name] for name in self.table.outputs)
