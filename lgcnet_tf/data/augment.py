"""The paper's augmentation: random flip, resize by 0.5-2.0 and crop; and more on demand.

Pure functions of NumPy arrays and of an explicit generator, so that tf.data
and plain threads give the same batches.
"""

import dataclasses

import numpy as np
from PIL import Image, ImageEnhance

from lgcnet_tf.data.info import VOID

# The ImageNet mean, which normalisation maps to about zero.
MEAN_COLOR = (124, 116, 104)


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """The drawn parameters for one sample.

    Attributes:
        flip: mirror left and right.
        size: (height, width) the whole image is resized to.
        offset: (top, left) of the crop in the resized image; negative where
            the crop begins outside of it.
        colors: factors of brightness, contrast and saturation, changed in this
            order; 1 leaves the image as it is.
    """

    flip: bool
    size: tuple[int, int]
    offset: tuple[int, int]
    colors: tuple[float, float, float] = (1.0, 1.0, 1.0)


def draw_augmentation(
    rng: np.random.Generator,
    image_size: tuple[int, int],
    crop_size: tuple[int, int],
    scale_range: tuple[float, float] = (0.5, 2.0),
    flip: bool = True,
    color_jitter: float = 0.0,
) -> Augmentation:
    """Draws the parameters; always takes the same count of numbers from `rng`.

    With `color_jitter` it takes three more, after the others, which stay what they
    are without it.

    Args:
        rng: source of randomness.
        image_size: (height, width) of the image.
        crop_size: (height, width) of the crop.
        scale_range: limits of the uniformly drawn scale.
        flip: mirror half of the images.
        color_jitter: j; brightness, contrast and saturation are each multiplied by
            a factor drawn uniformly from 1 - j to 1 + j; 0 leaves them alone.
    """
    mirrored = rng.random() < 0.5
    scale = rng.uniform(*scale_range)
    size = tuple(max(1, round(side * scale)) for side in image_size)
    offset = []
    for side, crop in zip(size, crop_size):
        spare = side - crop
        offset.append(int(rng.integers(min(0, spare), max(0, spare), endpoint=True)))
    colors = (1.0, 1.0, 1.0)
    if color_jitter:
        low = max(0.0, 1.0 - color_jitter)
        colors = tuple(map(float, rng.uniform(low, 1.0 + color_jitter, 3)))
    return Augmentation(bool(mirrored and flip), size, tuple(offset), colors)


def apply_augmentation(
    augmentation: Augmentation,
    image: np.ndarray,
    label: np.ndarray,
    crop_size: tuple[int, int],
) -> tuple[np.ndarray, np.ndarray]:
    """Flips, resizes and crops one sample.

    The image is resized bilinearly and padded with `MEAN_COLOR`, the label
    with the nearest value and padded with void. Colours are changed before the
    image is padded.

    Args:
        augmentation: the drawn parameters.
        image: uint8 `(height, width, 3)`.
        label: uint8 `(height, width)`.
        crop_size: (height, width) of the result.

    Returns:
        The image, uint8 `(crop_height, crop_width, 3)`, and the label, uint8
        `(crop_height, crop_width)`.
    """
    (top, left), (height, width) = augmentation.offset, augmentation.size
    top_end = min(height, top + crop_size[0])
    left_end = min(width, left + crop_size[1])
    # Only the part that is kept is resized: four times less at scale 2.
    y, x = max(top, 0), max(left, 0)
    up_y, up_x = image.shape[0] / height, image.shape[1] / width
    box = (x * up_x, y * up_y, left_end * up_x, top_end * up_y)
    box = (*box[:2], min(box[2], image.shape[1]), min(box[3], image.shape[0]))
    inside = (left_end - x, top_end - y)
    image_crop = np.empty((*crop_size, 3), np.uint8)
    label_crop = np.full(crop_size, VOID, np.uint8)
    if inside != (crop_size[1], crop_size[0]):
        image_crop[:] = MEAN_COLOR
    rows = slice(y - top, y - top + inside[1])
    columns = slice(x - left, x - left + inside[0])
    resized = Image.fromarray(image).resize(inside, Image.Resampling.BILINEAR, box)
    image_crop[rows, columns] = np.asarray(_recolored(resized, augmentation.colors))
    label_crop[rows, columns] = np.asarray(
        Image.fromarray(label).resize(inside, Image.Resampling.NEAREST, box)
    )
    if augmentation.flip:
        image_crop, label_crop = image_crop[:, ::-1], label_crop[:, ::-1]
    return np.ascontiguousarray(image_crop), np.ascontiguousarray(label_crop)


def _recolored(image, colors):
    kinds = ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color
    for kind, factor in zip(kinds, colors):
        if factor != 1.0:
            image = kind(image).enhance(factor)
    return image


def epoch_order(count: int, seed: int, epoch: int) -> np.ndarray:
    """The order of `count` samples in an epoch, a permutation of indices."""
    return np.random.default_rng([seed, epoch, 0]).permutation(count)


def sample_generator(seed: int, epoch: int, index: int) -> np.random.Generator:
    """The generator for one sample of the data set in one epoch."""
    # 0 belongs to the order; a shorter list would not do, as zeros are padded.
    return np.random.default_rng([seed, epoch, index + 1])
