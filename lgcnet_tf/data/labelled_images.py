"""Images with one label each, to pretrain on: folders and TFDS' sets."""

import collections
import collections.abc
import contextlib
import hashlib
import os
import pathlib
import tempfile
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from lgcnet_tf.data import crops, images, tfds_source
from lgcnet_tf.errors import InputError, NoSuchSplit

IMAGE_FOLDER = "image_folder"
"""The data set that is a folder of the user's."""

_SUFFIXES = (".jpg", ".jpeg", ".png")  # those of TFDS' ImageFolder


class EncodedImage(NamedTuple):
    """A picture's PNG or JPEG bytes, what to call it in an error, and its class."""

    data: bytes
    where: str
    label: int


class LabelledImages(collections.abc.Sequence):
    """The images of one split; read and decoded anew at each access.

    Attributes:
        name: of the data set.
        split: its part.
        class_names: name of class 0, 1, ...
        failure: the first error of a picture that could not be decoded, for who
            meets it as another one that tf.data makes of it.
    """

    def __init__(
        self,
        name: str,
        split: str,
        class_names: tuple[str, ...],
        count: int,
        read: Callable[[int], EncodedImage],
    ):
        if len(class_names) < 2:
            raise InputError(
                f"{name}: a classifier needs at least 2 classes. "
                f"Received: {', '.join(class_names) or 'none'}"
            )
        if not count:
            raise InputError(
                f"{name}: the split '{split}' has no images; name another."
            )
        self.name = name
        self.split = split
        self.class_names = class_names
        self.failure: InputError | None = None
        self._count = count
        self._read = read

    @property
    def num_classes(self) -> int:
        return len(self.class_names)

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        """A picture, uint8 RGB `(height, width, 3)`, and its class.

        Raises:
            InputError: it is damaged, or its label is no class.
        """
        try:
            found = self._read(range(len(self))[index])
            if not 0 <= found.label < self.num_classes:
                raise InputError(
                    f"{found.where}: label {found.label} is no class; expected 0 to "
                    f"{self.num_classes - 1}."
                )
            return images.decode_image(found.data, found.where), found.label
        except InputError as error:
            self.failure = self.failure or error
            raise

    def check(self) -> None:
        """Reads the first image; the others are too many to be read beforehand."""
        self[0]

    def random_crop(
        self,
        index: int,
        generator: np.random.Generator,
        crop_size: tuple[int, int],
        area_range: tuple[float, float] = crops.AREA,
        flip: bool = True,
    ) -> tuple[np.ndarray, np.int32]:
        """A random resized crop, mirrored half of the time, and its class."""
        image, label = self[index]
        mirrored = bool(generator.random() < 0.5) and flip
        box = crops.random_box(generator, image.shape[:2], area_range)
        return crops.cut(image, box, crop_size, mirrored), np.int32(label)

    def central_crop(
        self, index: int, crop_size: tuple[int, int]
    ) -> tuple[np.ndarray, int]:
        """The central crop and its class."""
        image, label = self[index]
        box = crops.central_box(image.shape[:2], crop_size)
        return crops.cut(image, box, crop_size), label


def load_labelled_images(
    dataset: str, split: str, data_dir: str | os.PathLike | None = None
) -> LabelledImages:
    """Opens a split of a data set of classified images.

    Args:
        dataset: `image_folder`, or the name of a classification set of TFDS, such as
            `imagenet2012`.
        split: name of the split.
        data_dir: for `image_folder`, a folder with one subfolder a class, which has
            the split `train` alone, or with such a folder for each split. For TFDS,
            the folder of the files that it cannot download itself.

    Raises:
        NoSuchSplit: the data have no such split.
        InputError: there is no such data set or folder, it is empty, has a single
            class or is no classification; TFDS cannot prepare it.
    """
    if dataset == IMAGE_FOLDER:
        return _from_folder(split, data_dir)
    return _from_tfds(dataset, split, data_dir)


def labelled_inputs(
    loaded: LabelledImages, dataset: str, data_dir: str | os.PathLike | None
) -> dict[str, dict[str, str]]:
    """What a split is made of, so that a run can tell whether it is still the same.

    There may be millions of pictures, which are not read for this: a folder's are
    known by their paths and sizes, one line a class; those of TFDS by their count.
    """
    classes = {str(index): name for index, name in enumerate(loaded.class_names)}
    found = {"images": str(len(loaded))}
    if dataset == IMAGE_FOLDER:
        digests = collections.defaultdict(hashlib.sha256)
        for path in sorted(pathlib.Path(data_dir).rglob("*")):
            if path.suffix.lower() in _SUFFIXES and path.is_file():
                line = f"{path.name} {path.stat().st_size}\n"
                digests[path.parent.relative_to(data_dir).as_posix()].update(
                    line.encode()
                )
        found |= {folder: digest.hexdigest()[:16] for folder, digest in digests.items()}
    return {f"split {loaded.split} of {data_dir or dataset}": found, "classes": classes}


def _from_folder(split, data_dir):
    if not data_dir or not pathlib.Path(data_dir).is_dir():
        raise InputError(
            f"{data_dir or '--data_dir is missing'}: {IMAGE_FOLDER} needs a folder with "
            "one subfolder a class, or with such a folder for each split."
        )
    root = pathlib.Path(data_dir)
    with _as_splits(root) as folder:
        list_images = _list_with_tfds if tfds_source.available() else _list_images
        class_names, splits = list_images(folder)
    name = str(root)
    if not any(splits.values()):
        raise InputError(
            f"{name}: has no pictures ({', '.join(_SUFFIXES)}) in subfolders, one a class; name "
            "the folder above them."
        )
    if split not in splits:
        raise NoSuchSplit(
            f"{name} has no split '{split}'. Available: {', '.join(splits)}."
        )
    # Relative to `folder`, which may be gone: class/file, or split/class/file.
    base = root if _is_flat(root) else root / split
    found = [(base / path, label) for path, label in splits[split]]

    def read(index):
        path, label = found[index]
        try:
            return EncodedImage(path.read_bytes(), str(path), label)
        except OSError as error:
            raise InputError(f"{path}: {error.strerror}.") from None

    return LabelledImages(name, split, class_names, len(found), read)


def _is_flat(root):
    """Whether the subfolders are classes, not splits."""
    return any(
        path.suffix.lower() in _SUFFIXES
        for folder in _subfolders(root)
        for path in folder.iterdir()
    )


@contextlib.contextmanager
def _as_splits(root: pathlib.Path) -> Iterator[pathlib.Path]:
    """The folder with its splits as subfolders, which is how TFDS wants it."""
    if not _is_flat(root):
        yield root
        return
    with tempfile.TemporaryDirectory() as folder:
        (pathlib.Path(folder) / "train").symlink_to(root.absolute())
        yield pathlib.Path(folder)


def _subfolders(folder):
    return sorted(path for path in folder.iterdir() if path.is_dir())


def _list_with_tfds(root):
    """Classes and, by split, pictures: (path below the split, label), by path."""
    import tensorflow_datasets as tfds  # pylint: disable=import-outside-toplevel

    builder = tfds.folder_dataset.ImageFolder(str(root))
    label = builder.info.features["label"]
    splits = {
        # Its `as_dataset` would read all pictures only to say which there are.
        split: [
            (os.path.relpath(example.image_path, root / split), example.label)
            for example in examples
        ]
        for split, examples in builder._split_examples.items()
    }
    return tuple(label.names), {
        split: sorted((path, label.str2int(name)) for path, name in found)
        for split, found in splits.items()
    }


def _list_images(root):
    """`_list_with_tfds` without TFDS."""
    found: dict[str, list[tuple[str, str]]] = {}
    names: set[str] = set()
    for split in _subfolders(root):
        for folder in _subfolders(split):
            names.add(folder.name)
            found.setdefault(split.name, []).extend(
                (os.path.join(folder.name, path.name), folder.name)
                for path in folder.iterdir()
                if path.suffix.lower() in _SUFFIXES
            )
    class_names = tuple(sorted(names))
    return class_names, {
        split: sorted((path, class_names.index(name)) for path, name in pictures)
        for split, pictures in found.items()
    }


def _from_tfds(dataset, split, data_dir):
    if not tfds_source.available():
        raise InputError(
            f"{dataset}: needs TensorFlow and tensorflow-datasets, which are not here; "
            f"--dataset={IMAGE_FOLDER} does not."
        )
    builder, splits = tfds_source.prepared_classification(dataset, data_dir)
    if split not in splits:
        raise NoSuchSplit(
            f"{dataset} has no split '{split}'. Available: {', '.join(splits)}."
        )
    image, label = builder.info.supervised_keys
    examples = splits[split]

    def read(index):
        example: dict[str, Any] = examples[index]
        where = f"{dataset}, {split}, example {index}"
        return EncodedImage(example[image], where, int(example[label]))

    names = tuple(builder.info.features[label].names)
    return LabelledImages(dataset, split, names, len(examples), read)
