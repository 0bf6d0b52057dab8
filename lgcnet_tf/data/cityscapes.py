"""Cityscapes through TFDS' own builder, with labels as 19 train ids."""

import hashlib
import os
import pathlib

import numpy as np

from lgcnet_tf.data import images, tfds_source
from lgcnet_tf.data.info import VOID, dataset_info
from lgcnet_tf.data.samples import Sample, Samples
from lgcnet_tf.errors import InputError, NoSuchSplit

# The label id of train id 0, 1, ... 18, as in cityscapesscripts.
LABEL_IDS = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)

_FINE = ("leftImg8bit_trainvaltest.zip", "gtFine_trainvaltest.zip")
_COARSE = (
    "leftImg8bit_trainvaltest.zip",
    "leftImg8bit_trainextra.zip",
    "gtCoarse.zip",
)
# Our split: TFDS' configuration, its split, the archives it needs.
_SPLITS = {
    "train": ("semantic_segmentation", "train", _FINE),
    "val": ("semantic_segmentation", "validation", _FINE),
    "test": ("semantic_segmentation", "test", _FINE),
    "train_extra": ("semantic_segmentation_extra", "train_extra", _COARSE),
}


def train_ids(label: np.ndarray, where: str) -> np.ndarray:
    """Maps label ids to train ids 0-18; all other label ids become 255.

    Args:
        label: uint8 label ids `(height, width)`; -1 is stored as 255.
        where: what to call the label in an error.

    Raises:
        InputError: a value is no label id.
    """
    table = np.full(256, VOID, np.uint8)
    table[list(LABEL_IDS)] = np.arange(len(LABEL_IDS))
    bad = label[(label > max(LABEL_IDS)) & (label != VOID)]
    if bad.size:
        raise InputError(
            f"{where}: label value {int(bad[0])} is no Cityscapes label id (0-33)."
        )
    return table[label]


def archives_of(split: str, data_dir: str | os.PathLike | None) -> list[pathlib.Path]:
    """The archives that a split is read from.

    Raises:
        InputError: no such split, or an archive is missing.
    """
    if split not in _SPLITS:
        raise NoSuchSplit(
            f"cityscapes has no split '{split}'. Available: {', '.join(_SPLITS)}."
        )
    archives = _SPLITS[split][2]
    if data_dir is None:
        raise InputError(
            "cityscapes needs a data folder: give --data_dir the folder that holds "
            f"{' and '.join(archives)}."
        )
    folder = pathlib.Path(data_dir)
    if not folder.is_dir():
        raise InputError(f"{data_dir}: no such data folder.")
    missing = [name for name in archives if not (folder / name).is_file()]
    if missing:
        raise InputError(
            f"{data_dir}: {' and '.join(missing)} missing. Download from "
            "https://www.cityscapes-dataset.com and do not unpack."
        )
    return [folder / name for name in archives]


def load_cityscapes(split: str, data_dir: str | os.PathLike | None) -> Samples:
    """Opens a split from the folder that holds Cityscapes' archives.

    Args:
        split: train, val, test, or train_extra (coarse labels).
        data_dir: folder of the archives, as downloaded.

    Raises:
        InputError: no such split, an archive is missing, or TFDS is not
            installed.
    """
    archives = archives_of(split, data_dir)
    config, tfds_split, _ = _SPLITS[split]
    if not tfds_source.available():
        raise InputError(
            "cityscapes needs tensorflow, tensorflow-datasets and array_record."
        )
    examples = _examples(config, archives)[tfds_split]

    def name_of(example) -> str:
        name = example["image_id"]
        return name.decode() if isinstance(name, bytes) else str(name)

    def read(index: int) -> Sample:
        example = examples[index]
        name = name_of(example)
        image = images.decode_image(example["image_left"], name)
        data = example["segmentation_label"]
        label = train_ids(images.decode_label(data, f"label of {name}"), name)
        images.check_sizes(image, label, name, f"label of {name}")
        return Sample(name, image, label)

    # TFDS has unpacked the archives, whose checksums vouch for the files.
    return Samples(
        dataset_info("cityscapes"),
        split,
        len(examples),
        read,
        checked=True,
        name=lambda index: name_of(examples[index]),
    )


def _examples(config: str, archives: list[pathlib.Path]):
    digest = hashlib.sha256(config.encode())
    for path in archives:
        stat = path.stat()
        digest.update(f"{path.name} {stat.st_size} {stat.st_mtime_ns}\n".encode())

    def make_builder(prepared: str):
        import tensorflow_datasets as tfds  # pylint: disable=import-outside-toplevel

        return tfds.builder(f"cityscapes/{config}", data_dir=prepared)

    return tfds_source.prepared_splits(
        make_builder, "cityscapes", digest.hexdigest()[:16], archives[0].parent
    )
