"""A picture of what a training is given, drawn before its first step."""

import itertools
import pathlib
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from PIL import Image

from lgcnet_tf.config import Size
from lgcnet_tf.data import DatasetInfo, Samples, training_batches
from lgcnet_tf.data.contact_sheet import contact_sheet, picture_sheet
from lgcnet_tf.data.labelled_images import LabelledImages
from lgcnet_tf.data.samples import Sample
from lgcnet_tf.files import atomic_write

MOST_IMAGES = 16
AT_A_TIME = 4
"""Images that are made for the picture at a time: each batch of a few has its cost."""

BATCHES = "training_batches.png"
"""Name of the picture in a run's folder."""

TITLE = "What the training is given: augmented"


class BatchPicture(keras.callbacks.Callback):
    """Draws the first augmented images with their labels, once a run.

    Labels that are shifted against their images, wrong colours, crops without a class:
    most of what spoils a training is seen here within its first minute. The picture
    makes its images itself, the very ones of the training's first batches, so that
    those stay as they are; a run that goes on keeps the picture that it has.

    Args:
        samples: what is trained on.
        crop_size: (height, width) of the crops.
        path: of the PNG.
        batch_size: the training's.
        augmentation: the other arguments of `training_batches`, `seed` among them.

    Example:
        BatchPicture(samples, (160, 208), folder / BATCHES, batch_size=8, seed=0)
    """

    def __init__(
        self,
        samples: Samples | LabelledImages,
        crop_size: Size,
        path: pathlib.Path,
        *,
        batch_size: int,
        **augmentation: Any,
    ):
        super().__init__()
        self._samples, self._path = samples, pathlib.Path(path)
        self._arguments = {
            "batch_size": min(batch_size, AT_A_TIME),
            "crop_size": crop_size,
        } | augmentation

    def on_train_begin(self, logs=None):
        if self._path.exists():
            return
        samples = self._samples
        batches = training_batches(samples, **self._arguments)
        if isinstance(samples, LabelledImages):
            draw_classified(batches, samples.class_names, self._path)
        else:
            draw_batches(batches, samples.info, self._path)


def draw_batches(
    batches: Iterator[tuple[np.ndarray, np.ndarray]],
    info: DatasetInfo,
    path: pathlib.Path,
) -> None:
    """Draws the first `MOST_IMAGES` images of batches, their labels over them.

    The legend has each class's share of the labelled pixels that are drawn.

    Args:
        batches: uint8 images (batch, height, width, 3), labels (batch, height,
            width); closed where they can be.
        info: names and colours of the classes.
        path: of the PNG.
    """
    samples = [
        Sample(name, image, label.astype(np.uint8))
        for name, image, label in _first(batches)
    ]
    if not samples:
        return
    counts = sum(np.bincount(s.label.ravel(), minlength=256) for s in samples)
    known, pixels = counts[: info.num_classes], sum(s.label.size for s in samples)
    notes = [f"{count / max(1, known.sum()):.1%}" for count in known]
    notes.append(f"{counts[info.void_label] / pixels:.1%} of all")
    _save(contact_sheet(samples, info, notes, TITLE), path)


def draw_classified(
    batches: Iterator[tuple[np.ndarray, np.ndarray]],
    class_names: tuple[str, ...],
    path: pathlib.Path,
) -> None:
    """As `draw_batches`, of images with one label each: its name stands below.

    Args:
        batches: uint8 images (batch, height, width, 3), labels (batch,).
        class_names: name of class 0, 1, ...
        path: of the PNG.
    """
    pictures = [
        (Image.fromarray(image), class_names[int(label)])
        for _, image, label in _first(batches)
    ]
    if pictures:
        _save(picture_sheet(pictures, title=TITLE), path)


def _first(batches):
    """Name, image and label of the first `MOST_IMAGES`."""
    found = []
    try:
        for image, label in itertools.chain.from_iterable(zip(*b) for b in batches):
            found.append((f"image {len(found) + 1}", image, label))
            if len(found) == MOST_IMAGES:
                break
    finally:
        getattr(batches, "close", lambda: None)()
    return found


def _save(sheet, path):
    with atomic_write(path) as temporary:
        sheet.save(temporary)
