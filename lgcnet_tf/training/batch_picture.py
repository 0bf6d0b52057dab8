"""A picture of what a training is given, drawn before its first step."""

import itertools
import pathlib
from collections.abc import Callable, Iterator

import keras
import numpy as np

from lgcnet_tf.data import DatasetInfo
from lgcnet_tf.data.contact_sheet import contact_sheet
from lgcnet_tf.data.samples import Sample
from lgcnet_tf.files import atomic_write

MOST_IMAGES = 16
BATCHES = "training_batches.png"
"""Name of the picture in a run's folder."""


class BatchPicture(keras.callbacks.Callback):
    """Draws augmented images with their labels, once a run.

    Labels that are shifted against their images, wrong colours, crops without a class:
    most of what spoils a training is seen here within its first minute. The picture
    takes batches of its own, so that those of the training stay as they are; a run that
    goes on keeps the picture that it has.

    Args:
        batches: makes an iterator of batches as the training's own: uint8 images
            (batch, height, width, 3), labels (batch, height, width).
        info: names and colours of the classes.
        path: of the PNG.

    Example:
        BatchPicture(
            lambda: training_batches(samples, batch_size, crop_size, seed),
            samples.info,
            folder / BATCHES,
        )
    """

    def __init__(
        self,
        batches: Callable[[], Iterator[tuple[np.ndarray, np.ndarray]]],
        info: DatasetInfo,
        path: pathlib.Path,
    ):
        super().__init__()
        self._batches, self._info, self._path = batches, info, pathlib.Path(path)

    def on_train_begin(self, logs=None):
        if not self._path.exists():
            draw_batches(self._batches(), self._info, self._path)


def draw_batches(
    batches: Iterator[tuple[np.ndarray, np.ndarray]],
    info: DatasetInfo,
    path: pathlib.Path,
) -> None:
    """Draws the first `MOST_IMAGES` images of batches, their labels over them.

    The legend has each class's share of the labelled pixels that are drawn.

    Args:
        batches: see `BatchPicture`; closed where it can be.
        info: names and colours of the classes.
        path: of the PNG.
    """
    samples: list[Sample] = []
    try:
        for number in itertools.count(1):
            images, labels = next(batches, ((), ()))
            for place, (image, label) in enumerate(zip(images, labels), start=1):
                name = f"batch {number}, image {place}"
                samples.append(Sample(name, image, label.astype(np.uint8)))
            if not len(images) or len(samples) >= MOST_IMAGES:
                break
    finally:
        getattr(batches, "close", lambda: None)()
    samples = samples[:MOST_IMAGES]
    if not samples:
        return
    counts = sum(np.bincount(s.label.ravel(), minlength=256) for s in samples)
    known, pixels = counts[: info.num_classes], sum(s.label.size for s in samples)
    notes = [f"{count / max(1, known.sum()):.1%}" for count in known]
    notes.append(f"{counts[info.void_label] / pixels:.1%} of all")
    sheet = contact_sheet(samples, info, notes, "What the training is given: augmented")
    with atomic_write(path) as temporary:
        sheet.save(temporary)
