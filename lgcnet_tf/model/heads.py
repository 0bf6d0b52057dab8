"""What aggregates features before the classifier (Table X), by name of the fusion."""

from keras import ops

from lgcnet_tf.model.folded_fusion import FoldedFusionCell
from lgcnet_tf.model.form import Form
from lgcnet_tf.model.fusion import FusionCell
from lgcnet_tf.model.operations import build_operation
from lgcnet_tf.model.units import Composite, build_for
from lgcnet_tf.space.skeleton import Skeleton, size_at


class FusionHead(Composite):
    """ASPP or PPM on the last cell's output, by the skeleton's `FusionHead` table.

    Args:
        skeleton: table, last cell and width.
        input_size: (height, width) of the image.
        form: of the network.

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

    def __init__(self, skeleton: Skeleton, input_size, form: Form, **kwargs):
        super().__init__(**kwargs)
        head, width = skeleton.fusion_head, skeleton.fusion_channels
        size = size_at(input_size, skeleton.cells[skeleton.last_cell].stride)
        style = {"size": size, "normalization": form.normalization}
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
    skeleton: Skeleton, operations, sources, input_size, form: Form, **kwargs
) -> Composite | None:
    """The layer of the skeleton's fusion; None without one.

    Args:
        skeleton, operations, sources, input_size: as for `FusionCell`.
        form: of the network; a cell to deploy is a `FoldedFusionCell`, which
            classifies.
        **kwargs: given to the layer (`name`).
    """
    if skeleton.fusion_cell:
        what = skeleton, operations, sources, input_size
        if form.normalization == "deploy":
            return FoldedFusionCell(*what, **kwargs)
        return FusionCell(*what, form, **kwargs)
    if skeleton.fusion_head:
        return FusionHead(skeleton, input_size, form, **kwargs)
    return None
