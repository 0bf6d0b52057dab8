"""The layers that aggregate features (Table X): searched cells and fixed heads.

What they are made of stands in the tables of `space.fusion`.
"""

from keras import ops

from lgcnet_tf.model.cell import MixedOp
from lgcnet_tf.model.operations import build_operation
from lgcnet_tf.model.units import Composite, build_for
from lgcnet_tf.space.skeleton import Skeleton, size_at


class FusionCell(Composite):
    """A searched fusion cell (III-C, Fig. 5), by the skeleton's `FusionTable`.

    Args:
        skeleton: table, taps and width.
        operations: for each edge's name its candidates, or the one chosen.
        sources: for each tap whether the map is there at all.
        input_size: (height, width) of the image.
        normalization: as in `units`.

    Attributes:
        readers: by the name of each unit that reads a tap's map, the tap.
        channels: of the output.

    Call arguments:
        inputs: the taps' maps, finest first, None where absent.
        weights: Z by the edge's name, each (candidates,); None if derived.

    Returns:
        (batch, height, width, output_maps * fusion_channels) at the finest
        tap's size.
    """

    def __init__(
        self, skeleton: Skeleton, operations, sources, input_size, normalization, **kwargs
    ):
        super().__init__(**kwargs)
        self.table = table = skeleton.fusion_cell
        self.width = skeleton.fusion_channels
        self.channels = table.output_maps * self.width
        strides = [skeleton.cells[tap].stride for tap in skeleton.taps]
        self.sources = dict(zip(table.inputs, sources))
        self.sizes = {
            name: size_at(input_size, strides[level])
            for name, level in table.levels.items()
        }
        reduced = [name for name, present in self.sources.items() if present]
        reduced += [node.name for node in table.nodes if node.project]
        self.reduce = {
            name: build_operation(
                "fusion_reduce_1x1",
                self.width,
                normalization=normalization,
                name=f"reduce_{name}",
            )
            for name in reduced
        }
        self.readers = {f"reduce_{name}": tap for tap, name in enumerate(table.inputs)}
        self.edges = {
            edge.name: MixedOp(
                operations[edge.name],
                self.width,
                1,
                self.sizes[edge.target],
                normalization,
                name=f"edge_{edge.source}_{edge.target}",
            )
            for edge in table.edges
        }

    def build(self, input_shape):
        for name, shape in zip(self.table.inputs, input_shape):
            if self.sources[name]:
                build_for(self.reduce[name], shape[-1])
        for node in self.table.nodes:
            if node.project:
                parts = len(self.table.edges_into(node.name))
                build_for(self.reduce[node.name], parts * self.width)
        for edge in self.edges.values():
            build_for(edge, self.width)

    def call(self, inputs, weights=None, training=None):
        batch = ops.shape(next(x for x in inputs if x is not None))[0]
        maps = {}
        for name, x in zip(self.table.inputs, inputs):
            if self.sources[name]:
                maps[name] = self.reduce[name](x, training=training)
            else:
                shape = (batch, *self.sizes[name], self.width)
                maps[name] = ops.zeros(shape, self.compute_dtype)
        for node in self.table.nodes[len(self.table.inputs) :]:
            parts = [
                self.edges[edge.name](
                    maps[edge.source],
                    None if weights is None else weights[edge.name],
                    training=training,
                )
                for edge in self.table.edges_into(node.name)
            ]
            x = ops.concatenate(parts, axis=-1) if len(parts) > 1 else parts[0]
            if node.project:
                x = self.reduce[node.name](x, training=training)
            maps[node.name] = x
        return sum(maps[name] for name in self.table.outputs)


class FusionHead(Composite):
    """ASPP or PPM on the last cell's output, by the skeleton's `FusionHead` table.

    Args:
        skeleton: table, last cell and width.
        input_size: (height, width) of the image.
        normalization: as in `units`.

    Attributes:
        readers: as in `FusionCell`; the input's channels come first in a unit
            that reads the branches as well.
        channels: of the output.

    Call arguments:
        inputs: the last cell's output, alone in a sequence.
        weights: unused, nothing is searched.

    Returns:
        (batch, height, width, fusion_channels) at the last cell's size.
    """

    def __init__(self, skeleton: Skeleton, input_size, normalization, **kwargs):
        super().__init__(**kwargs)
        head, width = skeleton.fusion_head, skeleton.fusion_channels
        size = size_at(input_size, skeleton.cells[skeleton.last_cell].stride)
        style = {"size": size, "normalization": normalization}
        self.channels = width
        self.keeps_input = head.keeps_input
        self.branches = [
            build_operation(name, head.branch_channels(width), name=name, **style)
            for name in head.branches
        ]
        self.project = build_operation(head.project, width, name="project", **style)
        self.readers = dict.fromkeys(head.branches, 0)
        if head.keeps_input:
            self.readers["project"] = 0

    def build(self, input_shape):
        ((*_, channels),) = input_shape
        for branch in self.branches:
            build_for(branch, channels)
        parts = sum(branch.channels for branch in self.branches)
        build_for(self.project, parts + self.keeps_input * channels)

    def call(self, inputs, weights=None, training=None):
        (x,) = inputs
        maps = [x] if self.keeps_input else []
        maps += [branch(x, training=training) for branch in self.branches]
        return self.project(ops.concatenate(maps, axis=-1), training=training)


def build_fusion(
    skeleton: Skeleton, operations, sources, input_size, normalization, **kwargs
) -> Composite | None:
    """The layer of the skeleton's fusion; None without one.

    Args:
        skeleton, operations, sources, input_size, normalization: as for
            `FusionCell`.
        **kwargs: given to the layer (`name`).
    """
    if skeleton.fusion_cell:
        return FusionCell(
            skeleton, operations, sources, input_size, normalization, **kwargs
        )
    if skeleton.fusion_head:
        return FusionHead(skeleton, input_size, normalization, **kwargs)
    return None
