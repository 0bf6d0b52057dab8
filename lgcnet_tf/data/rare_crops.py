"""Crops that show the classes more often that a data set shows seldom."""

import dataclasses

import numpy as np

from lgcnet_tf.data.augment import Augmentation
from lgcnet_tf.data.class_weights import count_classes
from lgcnet_tf.data.samples import Samples
from lgcnet_tf.errors import InputError

RARE_SHARE = 0.5
"""A class is rare that has less than this part of an equal share of the pixels."""


@dataclasses.dataclass(frozen=True)
class RareCrops:
    """Crops that show rare classes more often.

    Attributes:
        probability: of a crop that is centred on a pixel of a rare class, where the
            image has one; the class is drawn first, then one of its pixels.
        classes: the rare classes.
    """

    probability: float
    classes: tuple[int, ...]


def rare_classes(samples: Samples) -> dict[int, float]:
    """The rare classes of a split: those far below an equal share of its pixels.

    A class is rare if it has fewer than `RARE_SHARE` / classes of all labelled pixels
    and at least one: on CamVid's 11 classes, fewer than 4.5 %.

    Args:
        samples: the training split.

    Returns:
        The share of the labelled pixels, a fraction, of each rare class.

    Raises:
        InputError: no class is rare.
    """
    pixels, _ = count_classes(samples)
    share = pixels / max(pixels.sum(), 1)
    limit = RARE_SHARE / len(share)
    rare = {i: float(s) for i, s in enumerate(share) if 0 < s < limit}
    if not rare:
        raise InputError(
            f"--rare_crops: no class of {samples.info.name}, split '{samples.split}', "
            f"is rare: none has less than {100 * limit:.2g} % of the labelled pixels; "
            "leave it out."
        )
    return rare


def centre_on_rare_class(
    rng: np.random.Generator,
    drawn: Augmentation,
    label: np.ndarray,
    crop_size: tuple[int, int],
    rare: RareCrops,
) -> Augmentation:
    """The drawn parameters, now and then with another place of the crop.

    The crop's centre comes as near to the pixel as the image's borders let it: it
    shows no more padding than a crop drawn elsewhere.

    Args:
        rng: source of randomness, after `draw_augmentation` has drawn from it.
        drawn: its result.
        label: uint8 (height, width) of the whole image.
        crop_size: (height, width) of the crop.
        rare: how often, and which classes.
    """
    if rng.random() >= rare.probability:
        return drawn
    present = np.intersect1d(np.unique(label), rare.classes)
    if not len(present):
        return drawn
    places = np.flatnonzero(label == rng.choice(present))
    place = np.unravel_index(rng.choice(places), label.shape)
    offset = []
    for at, side, resized, crop in zip(place, label.shape, drawn.size, crop_size):
        first = round((int(at) + 0.5) * resized / side - crop / 2)
        spare = resized - crop
        offset.append(min(max(first, min(0, spare)), max(0, spare)))
    return dataclasses.replace(drawn, offset=tuple(offset))
