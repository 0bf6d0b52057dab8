"""Whole images through a network, one confusion matrix for the set."""

import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np

from lgcnet_tf.data import DatasetInfo, Sample, Samples
from lgcnet_tf.data.fit import mask_of, pieces_of
from lgcnet_tf.data.geometry import DEFAULT_FIT
from lgcnet_tf.errors import InputError
from lgcnet_tf.evaluation.by_image import ImageScores
from lgcnet_tf.evaluation.metrics import ConfusionMatrix
from lgcnet_tf.model.class_map import ClassMap
from lgcnet_tf.terminal import Bar

PredictMask = Callable[[np.ndarray], np.ndarray]
"""uint8 images (batch, height, width, 3) → integer masks (batch, height, width)."""


@dataclasses.dataclass(frozen=True)
class EvaluationResult:
    """Accuracy on a set; IoUs and accuracy are fractions of 1.

    Attributes:
        class_names: name of class 0…C-1.
        per_class_iou: float64 (C,), NaN for a class that never occurs.
        miou: mean over the classes that are not NaN.
        pixel_accuracy: share of the labelled pixels that are right.
        confusion: int64 (C, C), rows true, columns predicted.
        num_images: images evaluated.
    """

    class_names: tuple[str, ...]
    per_class_iou: np.ndarray
    miou: float
    pixel_accuracy: float
    confusion: np.ndarray
    num_images: int

    def to_dict(self) -> dict[str, Any]:
        """JSON form: the entries `evaluate` adds to `results.json`.

        `miou` and `pixel_accuracy` are fractions of 1, `per_class_iou` is a
        dict of class name to fraction; what is NaN here is null there.
        """
        return {
            "miou": _nullable(self.miou),
            "pixel_accuracy": _nullable(self.pixel_accuracy),
            "per_class_iou": {
                name: _nullable(iou)
                for name, iou in zip(self.class_names, self.per_class_iou, strict=True)
            },
            "num_images": self.num_images,
        }


def evaluate(
    predict_mask: PredictMask,
    samples: Samples,
    batch_size: int = 1,
    progress: bool = True,
    input_size: tuple[int, int] | None = None,
    fit: str = DEFAULT_FIT,
    scores: ImageScores | None = None,
) -> EvaluationResult:
    """Compares predictions with labels, at the labels' resolution.

    Args:
        predict_mask: for example `mask_function(network)`.
        samples: the images with labels.
        batch_size: images for each call of `predict_mask`.
        progress: shows a progress bar.
        input_size: (height, width) that `predict_mask` takes; by default its
            attribute of this name, else images go in as they are.
        fit: how images of another size are brought to it, of `geometry.FITS`.
        scores: gets each image, where its accuracy is wanted, too.

    Raises:
        InputError: there are no samples, or a mask has a class that the data
            set lacks.
    """
    info = samples.info
    if not len(samples):
        raise InputError(f"{info.name}: split {samples.split!r} has no samples.")
    matrix = ConfusionMatrix(info.num_classes, info.void_label)
    bar = Bar("evaluating", len(samples), "image") if progress else None
    pairs = predict_samples(predict_mask, samples, batch_size, input_size, fit)
    for count, (sample, mask) in enumerate(pairs, start=1):
        _check_classes(mask, info)
        own = ConfusionMatrix(info.num_classes, info.void_label)
        own.update(sample.label, mask)
        matrix.counts += own.counts
        if scores:
            scores.add(sample, mask, own)
        if bar:
            bar.update(count, f"mIoU {100 * matrix.miou:.2f} %")
    return EvaluationResult(
        class_names=info.class_names,
        per_class_iou=matrix.per_class_iou,
        miou=matrix.miou,
        pixel_accuracy=matrix.pixel_accuracy,
        confusion=matrix.counts,
        num_images=len(samples),
    )


def predict_samples(
    predict_mask: PredictMask,
    samples: Sequence[Sample],
    batch_size: int = 1,
    input_size: tuple[int, int] | None = None,
    fit: str = DEFAULT_FIT,
) -> Iterator[tuple[Sample, np.ndarray]]:
    """Yields each sample with its mask, uint8 (height, width) of its image.

    Images of another size than the network's are brought to it as `fit` says,
    and their masks back by nearest neighbour. Arguments as for `evaluate`.
    """
    size = input_size or getattr(predict_mask, "input_size", None)
    batch: list[tuple[Sample, np.ndarray]] = []
    for sample in samples:
        image = sample.image
        pieces = image[None] if size is None else pieces_of(image, fit, size)
        if batch and pieces.shape[1:] != batch[0][1].shape[1:]:
            yield from _predict_batch(predict_mask, batch, batch_size, fit)
            batch = []
        batch.append((sample, pieces))
        if sum(len(one) for _, one in batch) >= batch_size:
            yield from _predict_batch(predict_mask, batch, batch_size, fit)
            batch = []
    if batch:
        yield from _predict_batch(predict_mask, batch, batch_size, fit)


def _predict_batch(predict_mask, batch, batch_size, fit):
    pieces = np.concatenate([one for _, one in batch])
    masks = np.concatenate(
        [
            np.asarray(predict_mask(pieces[first : first + batch_size]))
            for first in range(0, len(pieces), batch_size)
        ]
    ).astype(np.uint8)
    first = 0
    for sample, own in batch:
        size, part = sample.image.shape[:2], masks[first : first + len(own)]
        first += len(own)
        yield sample, mask_of(part, fit, size, own.shape[1:3])


def _check_classes(mask: np.ndarray, info: DatasetInfo) -> None:
    if mask.max() >= info.num_classes:
        raise InputError(
            f"The model predicts class {mask.max()}; {info.name} has only "
            f"{info.num_classes} classes (0-{info.num_classes - 1})."
        )


def _nullable(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def mask_function(network: keras.Model) -> PredictMask:
    """The network's argmax as a function on arrays, compiled by its backend if it can.

    Compiling happens at the first call; later changes of the weights are seen.

    Args:
        network: gives logits (batch, height, width, classes), at most 256.

    Returns:
        Images (batch, height, width, 3), uint8, to masks uint8 (batch, height,
        width). Its attribute `input_size` is the network's, where that has one.
    """
    return _MaskFunction(network)


class _MaskFunction:
    def __init__(self, network: keras.Model):
        self.input_size = getattr(network, "input_size", None)
        self._model = ClassMap(network)
        # XLA is several times slower than TensorFlow's own kernels on a CPU;
        # JAX has nothing else to compile with, and PyTorch runs eagerly.
        self._model.jit_compile = keras.backend.backend() == "jax"

    def __call__(self, images: np.ndarray) -> np.ndarray:
        return keras.ops.convert_to_numpy(self._model.predict_on_batch(images))
