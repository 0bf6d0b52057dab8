"""The images that `int8` takes the ranges of its activations from."""

import itertools
import pathlib
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from lgcnet_tf.convert.settings import CALIBRATION_METHODS
from lgcnet_tf.data import load_samples
from lgcnet_tf.data.fit import pieces_of
from lgcnet_tf.data.geometry import DEFAULT_FIT
from lgcnet_tf.data.images import decode_image, read_bytes
from lgcnet_tf.errors import InputError, NoSuchSplit

MOST_IMAGES = 32
RANDOM_PIXELS = "random pixels"
RANDOM_BATCHES = 8
_SUFFIXES = (".png", ".jpg", ".jpeg")


class RepresentativeImages(Sequence):
    """Pictures, read one at a time when they are asked for, and how they are used.

    Args:
        count: how many there are; 0 for random pixels.
        read: the picture of an index, uint8 RGB (height, width, 3).
        source: where they come from, in words.
        method: how a range comes of the values of an activation, one of
            `CALIBRATION_METHODS`.

    Attributes:
        fit: how they are brought to the network's size, one of `geometry.FITS`.
    """

    def __init__(
        self,
        count: int = 0,
        read: Callable[[int], np.ndarray] | None = None,
        source: str = RANDOM_PIXELS,
        method: str = CALIBRATION_METHODS[0],
    ):
        self._count, self._read = count, read
        self.source, self.method = source, method
        self.fit = DEFAULT_FIT

    @classmethod
    def of(cls, images: Sequence[np.ndarray]) -> "RepresentativeImages":
        """What `images` are already, or arrays as such images."""
        if isinstance(images, cls):
            return images
        images = list(images)
        source = f"{len(images)} images" if images else RANDOM_PIXELS
        return cls(len(images), images.__getitem__, source)

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> np.ndarray:
        if not 0 <= index < self._count:
            raise IndexError(index)
        return self._read(index)

    def batches(self, shape: tuple[int, ...]) -> Iterator[np.ndarray]:
        """The pictures, brought to the size as evaluation does, in batches.

        Args:
            shape: (batch, height, width, 3); the last batch begins anew.
        """
        size, begin, pieces = shape[0], [], []
        for image in self:
            new = [*pieces_of(image, self.fit, shape[1:3])]
            begin += new[: size - len(begin)]
            pieces += new
            while len(pieces) >= size:
                yield np.stack(pieces[:size])
                del pieces[:size]
        if pieces:
            again = itertools.islice(itertools.cycle(begin), size - len(pieces))
            yield np.stack([*pieces, *again])


def files_of_folder(folder: str) -> list[pathlib.Path]:
    """The first `MOST_IMAGES` pictures of a folder, by name.

    Raises:
        InputError: no such folder, or none in it.
    """
    path = pathlib.Path(folder)
    if not path.is_dir():
        raise InputError(f"--calibration_images: {folder}: no such folder.")
    files = [f for f in sorted(path.iterdir()) if f.suffix.lower() in _SUFFIXES]
    if not files:
        raise InputError(f"--calibration_images: {folder}: no PNG or JPEG files.")
    return files[:MOST_IMAGES]


def images_of_folder(folder: str, method: str) -> RepresentativeImages:
    """The pictures of `files_of_folder`.

    Raises:
        InputError: as there; when read, a damaged one.
    """
    files = files_of_folder(folder)
    return RepresentativeImages(
        len(files),
        lambda index: decode_image(read_bytes(files[index]), str(files[index])),
        f"{len(files)} images of {folder}",
        method,
    )


def images_of_training_split(
    dataset: str, data_dir: str, method: str
) -> RepresentativeImages:
    """`MOST_IMAGES` pictures of a data set's training split, evenly over it.

    Raises:
        InputError: there is no such split, or bad files.
    """
    try:
        samples = load_samples(dataset, "train", data_dir or None)
    except NoSuchSplit as error:
        raise InputError(
            f"--precision=int8: {error} Its ranges come from the training split, or "
            "from --calibration_images."
        ) from None
    count = min(MOST_IMAGES, len(samples))
    places = np.linspace(0, len(samples) - 1, count).round().astype(int)
    return RepresentativeImages(
        count,
        lambda index: samples[int(places[index])].image,
        f"{count} training images of {dataset}",
        method,
    )
