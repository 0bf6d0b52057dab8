"""Crops for the classification of images: random ones to train, central to evaluate."""

import math

import numpy as np
from PIL import Image

AREA = (0.08, 1.0)
RATIO = (3 / 4, 4 / 3)
CENTRAL = 0.875  # 224 of 256
_TRIES = 10

Box = tuple[float, float, float, float]
"""(left, top, right, bottom) in pixels."""


def random_box(
    generator: np.random.Generator,
    image_size: tuple[int, int],
    area_range: tuple[float, float] = AREA,
) -> Box:
    """The part of an image that Inception's random resized crop keeps.

    Area and (logarithmic) ratio of width to height are drawn until the crop lies in
    the image; after ten tries the largest central crop of an allowed ratio is it.

    Args:
        generator: source of randomness.
        image_size: (height, width).
        area_range: limits of the share of the image's area.
    """
    height, width = image_size
    for _ in range(_TRIES):
        area = generator.uniform(*area_range) * height * width
        ratio = math.exp(generator.uniform(*(math.log(r) for r in RATIO)))
        w, h = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < w <= width and 0 < h <= height:
            top = int(generator.integers(0, height - h, endpoint=True))
            left = int(generator.integers(0, width - w, endpoint=True))
            return (left, top, left + w, top + h)
    ratio = min(max(width / height, RATIO[0]), RATIO[1])
    w, h = min(width, round(height * ratio)), min(height, round(width / ratio))
    left, top = (width - w) // 2, (height - h) // 2
    return (left, top, left + w, top + h)


def central_box(
    image_size: tuple[int, int], crop_size: tuple[int, int], share: float = CENTRAL
) -> Box:
    """The central part, of the crop's ratio, whose sides are `share` of the largest.

    For a square crop that is: resize the shorter side to crop / share, crop the
    centre.
    """
    height, width = image_size
    scale = share * min(height / crop_size[0], width / crop_size[1])
    h, w = crop_size[0] * scale, crop_size[1] * scale
    left, top = (width - w) / 2, (height - h) / 2
    return (left, top, left + w, top + h)


def cut(
    image: np.ndarray, box: Box, crop_size: tuple[int, int], flip: bool = False
) -> np.ndarray:
    """A part of an image, resized bilinearly: uint8 `(*crop_size, 3)`.

    Args:
        image: uint8 `(height, width, 3)`.
        box: the part.
        crop_size: (height, width) of the result.
        flip: mirror it.
    """
    size = (crop_size[1], crop_size[0])
    resized = Image.fromarray(image).resize(size, Image.Resampling.BILINEAR, box)
    found = np.asarray(resized)
    return np.ascontiguousarray(found[:, ::-1] if flip else found)
