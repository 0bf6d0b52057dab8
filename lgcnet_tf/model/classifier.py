"""A backbone that classifies whole images, as it is pretrained."""

import dataclasses

import keras
from keras import ops

from lgcnet_tf.model.network import Network
from lgcnet_tf.space.genotype import Genotype
from lgcnet_tf.space.skeleton import Size, Skeleton


@keras.saving.register_keras_serializable("lgcnet_tf")
class ImageClassifier(Network):
    """Stem and cells of a network, global average pooling, a classifier.

    As in DARTS the last cell's output is pooled as it is, without a ReLU.

    Args:
        skeleton, genotype: of a network without fusion, see `backbone`.

    Call arguments:
        images: as for `Network`.

    Returns:
        Logits, (batch, num_classes), float32.
    """

    def call(self, images, weights=None, training=None):
        x = self.features(images, weights, training)
        x = ops.mean(ops.cast(x, "float32"), axis=(1, 2), keepdims=True)
        x = ops.cast(self.classifier(x), "float32")
        return ops.reshape(x, (-1, self.num_classes))


def backbone(genotype: Genotype, num_classes: int) -> Genotype:
    """The genotype without its fusion, up to the last cell that the fusion reads.

    Args:
        num_classes: of the images.
    """
    skeleton = genotype.skeleton
    cells = skeleton.last_cell + 1
    shorter: Skeleton = dataclasses.replace(
        skeleton,
        num_classes=num_classes,
        num_cells=cells,
        reduction_cells=tuple(c for c in skeleton.reduction_cells if c < cells),
        fusion="none",
    )
    return Genotype(shorter, genotype.cells[:cells], {})


def build_classifier(
    genotype: Genotype, num_classes: int, input_size: Size, remat: bool = False
) -> ImageClassifier:
    """The backbone of a genotype as a classifier of images.

    Raises:
        InputError: nothing leads from the image to the last cell's output.
    """
    shorter = backbone(genotype, num_classes)
    return ImageClassifier.derived(shorter, input_size, remat=remat)
