"""How often each class occurs, and weights that make up for it."""

import numpy as np

from lgcnet_tf.data.samples import Samples
from lgcnet_tf.errors import InputError

CLASS_WEIGHTS = ("none", "enet", "median_frequency")


def count_classes(samples: Samples) -> tuple[np.ndarray, np.ndarray]:
    """Counts the labels of a split.

    Returns:
        Pixels of each class, int64 (classes,), and pixels that are not void of
        all images in which the class occurs, int64 (classes,).
    """
    classes = samples.info.num_classes
    pixels = np.zeros(classes, np.int64)
    where_present = np.zeros(classes, np.int64)
    for sample in samples:
        counts = np.bincount(sample.label.ravel(), minlength=256)[:classes]
        pixels += counts
        where_present += np.where(counts > 0, counts.sum(), 0)
    return pixels, where_present


def class_weights(samples: Samples, kind: str, c: float = 1.10) -> np.ndarray | None:
    """Weights of the classes in a loss, by how often they occur in a split.

    They are scaled so that their mean over the split's labelled pixels is 1: a
    learning rate means the same with and without them.

    Args:
        samples: the training split.
        kind: `"enet"`, 1 / ln(c + p) with p the class' share of the labelled
            pixels (Paszke et al., ENet); `"median_frequency"`, median(f) / f with
            f its share in the images that have it (Eigen and Fergus); or `"none"`.
        c: of `"enet"`, above 1; the nearer to 1, the more rare classes weigh.

    Returns:
        float64 (classes,), or None for `"none"`.

    Raises:
        InputError: the split has no pixel of a class.
    """
    if kind == "none":
        return None
    pixels, where_present = count_classes(samples)
    if not pixels.all():
        absent = [samples.info.class_names[i] for i in np.flatnonzero(pixels == 0)]
        raise InputError(
            f"--class_weights={kind}: split '{samples.split}' of {samples.info.name} "
            f"has no pixel of {', '.join(absent)}; give --class_weights=none, or a "
            "split that has them."
        )
    share = pixels / pixels.sum()
    if kind == "enet":
        weights = 1.0 / np.log(c + share)
    else:
        frequency = pixels / where_present
        weights = np.median(frequency) / frequency
    return weights / (weights @ share)
