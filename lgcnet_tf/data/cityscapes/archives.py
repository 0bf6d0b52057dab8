"""The archives that Cityscapes is read from, and its label ids as train ids."""

import os
import pathlib

import numpy as np

from lgcnet_tf.data.info import VOID
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
SPLITS = {
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
            f"{where}: label value {int(bad[0])} is no Cityscapes label id, which must be 0-33."
        )
    return table[label]


def archives_of(split: str, data_dir: str | os.PathLike | None) -> list[pathlib.Path]:
    """The archives that a split is read from.

    Raises:
        InputError: no such split, or an archive is missing.
    """
    if split not in SPLITS:
        raise NoSuchSplit(
            f"cityscapes has no split '{split}'. Available: {', '.join(SPLITS)}."
        )
    archives = SPLITS[split][2]
    if data_dir is None:
        raise InputError(
            "cityscapes needs a data folder: give --data_dir the folder that holds "
            f"{' and '.join(archives)}."
        )
    folder = pathlib.Path(data_dir)
    if not folder.is_dir():
        raise InputError(f"{data_dir}: no such data folder; name it with --data_dir.")
    missing = [name for name in archives if not (folder / name).is_file()]
    if missing:
        raise InputError(
            f"{data_dir}: {' and '.join(missing)} missing. Download from "
            "https://www.cityscapes-dataset.com and do not unpack."
        )
    return [folder / name for name in archives]
