"""The same few images again and again, to watch predictions get better."""

import numpy as np

from lgcnet_tf.data import Samples
from lgcnet_tf.data.augment import Augmentation, apply_augmentation
from lgcnet_tf.evaluation.evaluate import PredictMask
from lgcnet_tf.figures import png_bytes, side_by_side
from lgcnet_tf.space.skeleton import Size

COUNT = 3


class FixedImages:
    """Images from all over a split, brought to one size.

    Each is resized so that it just covers the size, and its middle is taken.

    Args:
        samples: the split.
        size: (height, width) of the images.

    Attributes:
        images: uint8 (count, height, width, 3).
        labels: uint8 (count, height, width).
    """

    def __init__(self, samples: Samples, size: Size):
        self.info = samples.info
        count = min(COUNT, len(samples))
        indices = [(2 * i + 1) * len(samples) // (2 * count) for i in range(count)]
        pairs = [_covering(samples[index], size) for index in indices]
        self.images, self.labels = (np.stack(arrays) for arrays in zip(*pairs))

    def draw(self, predict_mask: PredictMask) -> bytes:
        """A PNG of images, labels and what `predict_mask` says of each image."""
        masks = [np.asarray(predict_mask(image[None]))[0] for image in self.images]
        return png_bytes(side_by_side, self.images, self.labels, masks, self.info)


def _covering(sample, size):
    height, width = sample.image.shape[:2]
    scale = max(size[0] / height, size[1] / width)
    resized = tuple(
        max(round(scale * side), wanted) for side, wanted in zip((height, width), size)
    )
    offset = tuple((side - wanted) // 2 for side, wanted in zip(resized, size))
    return apply_augmentation(
        Augmentation(False, resized, offset), sample.image, sample.label, size
    )
