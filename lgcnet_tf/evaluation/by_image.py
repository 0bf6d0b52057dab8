"""Accuracy image by image: which ones a network is best and worst at."""

import dataclasses
import math
from typing import Any

import numpy as np

from lgcnet_tf.data import Sample
from lgcnet_tf.evaluation.metrics import ConfusionMatrix


@dataclasses.dataclass(frozen=True)
class ImageScore:
    """Accuracy on one image, in fractions of 1; NaN without labelled pixels.

    Attributes:
        name: of the sample.
        miou: mean of the IoUs of the classes in its label or its prediction.
        pixel_accuracy: share of its labelled pixels that are right.
    """

    name: str
    miou: float
    pixel_accuracy: float

    def to_dict(self) -> dict[str, Any]:
        """JSON form; what is NaN here is null there."""
        return {
            name: None if isinstance(value, float) and math.isnan(value) else value
            for name, value in dataclasses.asdict(self).items()
        }


Scored = tuple[ImageScore, Sample, np.ndarray]
"""An image with its score and its mask."""


class ImageScores:
    """Gathers the scores of a set's images, and keeps the best and worst of them.

    Args:
        keep: images of each to keep, with their masks; no more are held in memory.

    Attributes:
        scores: of all images, in their order.
    """

    def __init__(self, keep: int = 0):
        self.keep = keep
        self.scores: list[ImageScore] = []
        self._high: list[Scored] = []
        self._low: list[Scored] = []

    def add(self, sample: Sample, mask: np.ndarray, matrix: ConfusionMatrix) -> None:
        """Takes an image, its mask, and the confusion matrix of it alone."""
        score = ImageScore(sample.name, matrix.miou, matrix.pixel_accuracy)
        self.scores.append(score)
        if math.isnan(score.miou):
            return
        for kept, sign in ((self._high, -1), (self._low, 1)):
            kept.append((score, sample, mask))
            kept.sort(key=lambda one: sign * one[0].miou)
            del kept[self.keep :]

    @property
    def best(self) -> list[Scored]:
        """The images with the highest mIoU, the best first: at most half of them."""
        counted = sum(not math.isnan(score.miou) for score in self.scores)
        return self._high[: -(-counted // 2)]

    @property
    def worst(self) -> list[Scored]:
        """The images with the lowest mIoU, the worst first; none of `best`."""
        best = {score.name for score, *_ in self.best}
        return [one for one in self._low if one[0].name not in best]
