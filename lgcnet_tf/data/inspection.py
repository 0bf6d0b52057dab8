"""What is in a split: counts, sizes, classes, and images that nearly equal others."""

import collections
import concurrent.futures
import dataclasses
import os
from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image

from lgcnet_tf.data.info import DatasetInfo
from lgcnet_tf.data.samples import Samples
from lgcnet_tf.errors import InputError

THUMBNAIL = 16
NEAR_EQUAL = 0.95
"""Correlation of two thumbnails from which on their pictures count as near-equal.

Frames of different drives of CamVid correlate by at most 0.90; of frames of one
drive a second apart by more than 0.92 in half of the cases.
"""

_ROWS = 1024


@dataclasses.dataclass(frozen=True)
class SplitContent:
    """What was found in a split.

    Attributes:
        info: the classes.
        split: its name.
        names: of the samples that could be read, in order.
        sizes: how many images have each (height, width).
        counts: pixels of each class in each image, int64 (images, classes).
        void: void pixels of each image, int64 (images,).
        thumbnails: gray, centred and of norm 1, or all zero of a picture of one
            colour, float32 (images, THUMBNAIL²).
        problems: one line for each sample that could not be read.
    """

    info: DatasetInfo
    split: str
    names: tuple[str, ...]
    sizes: dict[tuple[int, int], int]
    counts: np.ndarray
    void: np.ndarray
    thumbnails: np.ndarray
    problems: tuple[str, ...]

    @property
    def shares(self) -> np.ndarray:
        """Share of the labelled pixels that each class has, float64 (classes,)."""
        pixels = self.counts.sum(0)
        return pixels / max(1, pixels.sum())

    @property
    def void_share(self) -> float:
        """Share of all pixels that are void."""
        return float(self.void.sum() / max(1, self.void.sum() + self.counts.sum()))

    @property
    def images_with(self) -> np.ndarray:
        """In how many images each class occurs, int64 (classes,)."""
        return (self.counts > 0).sum(0)

    @property
    def absent(self) -> tuple[str, ...]:
        """Names of the classes that occur in no image."""
        there = self.images_with
        return tuple(n for n, c in zip(self.info.class_names, there) if not c)


def look_into(
    samples: Samples, progress: Callable[[int], None] = lambda done: None
) -> SplitContent:
    """Reads every sample of a split once, a few at a time, and keeps none.

    Args:
        samples: the split.
        progress: called with how many have been read.
    """
    classes = samples.info.num_classes
    names, counts, void, thumbnails, problems = [], [], [], [], []
    sizes: collections.Counter = collections.Counter()

    def read(index):
        try:
            sample = samples.read(index)
        except InputError as error:
            return None, str(error)
        found = np.bincount(sample.label.ravel(), minlength=256)
        return (
            sample.label.shape,
            found[:classes],
            found[samples.info.void_label],
            thumbnail(sample.image),
        ), sample.name

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for done, (content, text) in enumerate(pool.map(read, range(len(samples))), 1):
            if content is None:
                problems.append(text)
            else:
                size, *parts = content
                names.append(text)
                sizes[size] += 1
                for kept, part in zip((counts, void, thumbnails), parts):
                    kept.append(part)
            progress(done)
    return SplitContent(
        samples.info,
        samples.split,
        tuple(names),
        dict(sizes.most_common()),
        np.array(counts, np.int64).reshape(-1, classes),
        np.array(void, np.int64),
        np.array(thumbnails, np.float32).reshape(-1, THUMBNAIL**2),
        tuple(problems),
    )


def thumbnail(image: np.ndarray) -> np.ndarray:
    """A small gray picture as a vector of mean 0 and norm 1, float32 (THUMBNAIL²,).

    A dot product of two is the correlation of the pictures.

    Args:
        image: uint8 RGB (height, width, 3).
    """
    small = Image.fromarray(image).convert("L")
    small = small.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX)
    vector = np.asarray(small, np.float32).ravel()
    vector = vector - vector.mean()
    norm = np.linalg.norm(vector)
    return vector / norm if norm >= THUMBNAIL else np.zeros_like(vector)


def near_equal(
    first: SplitContent, second: SplitContent, threshold: float = NEAR_EQUAL
) -> list[tuple[str, str, float]]:
    """Images of `second` that nearly equal one of `first`, with the nearest of those.

    Returns:
        Name in `second`, name in `first` and their correlation, the largest first.
    """
    found = []
    if not len(first.names):
        return found
    for start in range(0, len(second.names), _ROWS):
        rows = second.thumbnails[start : start + _ROWS]
        correlations = rows @ first.thumbnails.T
        nearest = correlations.argmax(1)
        for row, column in enumerate(nearest):
            value = float(correlations[row, column])
            if value >= threshold:
                found.append((second.names[start + row], first.names[column], value))
    return sorted(found, key=lambda pair: -pair[2])


def typical_samples(content: SplitContent, count: int) -> Sequence[int]:
    """Samples that show every class, and others spread evenly over the split.

    Returns:
        Indices into `content.names`, ascending.
    """
    chosen: list[int] = []
    for index in np.argsort(content.images_with, kind="stable"):  # the rarest first
        seen = content.counts[chosen, index].sum() if chosen else 0
        if content.images_with[index] and not seen and len(chosen) < count:
            chosen.append(int(content.counts[:, index].argmax()))
    rest = [i for i in range(len(content.names)) if i not in set(chosen)]
    spare = min(count - len(chosen), len(rest))
    places = np.linspace(0, len(rest) - 1, spare).round().astype(int) if spare else []
    return sorted([*chosen, *(rest[place] for place in places)])
