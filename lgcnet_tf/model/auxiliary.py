"""Classifiers in the midst of a network, which help to train it and are dropped then."""

from keras import ops

from lgcnet_tf.errors import InputError
from lgcnet_tf.model.network import Network
from lgcnet_tf.model.operations import build_operation
from lgcnet_tf.model.units import Composite, ConvUnit, build_for

STRIDES = (8, 16)


class AuxiliaryHead(Composite):
    """ReLU, 3×3 convolution, batch normalisation, ReLU, 1×1 convolution, resize.

    As in PSPNet (Zhao et al., 2017), whose auxiliary loss has the weight 0.4.

    Args:
        num_classes: of the labels.
        width: channels of the 3×3 convolution.

    Call arguments:
        x: a cell's output, (batch, height, width, channels).
        size: static (height, width) of the result.

    Returns:
        Logits, (batch, *size, num_classes), float32.
    """

    def __init__(self, num_classes, width, **kwargs):
        super().__init__(**kwargs)
        self.conv = ConvUnit(width, 3, post_relu=True, name="conv")
        self.classifier = build_operation("classifier", num_classes, name="classifier")

    def build(self, input_shape):
        build_for(self.conv, input_shape[-1])
        build_for(self.classifier, self.conv.channels)

    def call(self, x, size, training=None):
        x = self.classifier(self.conv(x, training=training))
        return ops.image.resize(ops.cast(x, "float32"), size, interpolation="bilinear")


def auxiliary_heads(network: Network) -> dict[int, AuxiliaryHead]:
    """A built head for the last cell at each of `STRIDES`, by the cell's index.

    Args:
        network: a derived network; stays as it is.

    Raises:
        InputError: it has no cell at these strides.
    """
    skeleton, heads = network.skeleton, {}
    for stride in STRIDES:
        cells = [
            index
            for index, cell in network.cells.items()
            if cell.nodes and skeleton.cells[int(index)].stride == stride
        ]
        if not cells:
            continue
        last = cells[-1]
        head = AuxiliaryHead(
            skeleton.num_classes, skeleton.fusion_channels, name=f"auxiliary_{stride}"
        )
        cell = network.cells[last]
        build_for(head, len(cell.nodes) * cell.channels)
        heads[int(last)] = head
    if not heads:
        raise InputError(
            "--auxiliary_weight: the network has no cell at stride "
            f"{' or '.join(map(str, STRIDES))} for a head."
        )
    return heads
