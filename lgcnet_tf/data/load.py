"""Opening the splits of a data set by its name."""

import os

from lgcnet_tf.data.dataset import Dataset, read_directly
from lgcnet_tf.data.division import Divided
from lgcnet_tf.data.groups import join_samples
from lgcnet_tf.data.registry import open_dataset
from lgcnet_tf.data.samples import Samples
from lgcnet_tf.errors import InputError, NoSuchSplit

__all__ = ["load_samples", "open_divided", "read_directly", "split_names"]


def load_samples(
    dataset: str,
    split: str,
    data_dir: str | os.PathLike | None = None,
    val_share: float = 0.0,
    split_seed: int = 0,
    group_by: str = "",
) -> Samples:
    """Opens a split of a data set, or several as one.

    Args:
        dataset: one of `registry.dataset_names()`.
        split: train, val or test, where the data have it; several with commas
            between.
        data_dir: folder of the source data; toy_streets needs none.
        val_share, split_seed, group_by: for data without a split val, see
            `division.Divided`.

    Raises:
        NoSuchSplit: the data have no such split; it is an InputError too.
        InputError: an unknown data set, a missing or empty folder, or bad files
            in it, or a split named twice; says what is wrong and where.
    """
    opened = open_divided(dataset, data_dir, val_share, split_seed, group_by)
    return join_samples([_load(opened, name) for name in split_names(split)])


def split_names(split: str) -> list[str]:
    """The names in `train` or `train,val`.

    Raises:
        InputError: one stands there twice.
    """
    names = [name.strip() for name in split.split(",")]
    if len(set(names)) != len(names):
        raise InputError(f"--split={split} names a split twice.")
    return names


def open_divided(
    dataset: str,
    data_dir: str | os.PathLike | None = None,
    val_share: float = 0.0,
    split_seed: int = 0,
    group_by: str = "",
) -> Dataset:
    """Opens a data set, its training split divided where `val_share` says so.

    Raises:
        InputError: as `load_samples`.
    """
    opened = open_dataset(dataset, data_dir)
    return Divided(opened, val_share, split_seed, group_by) if val_share else opened


def _load(dataset: Dataset, split: str) -> Samples:
    if split not in dataset.splits:
        raise NoSuchSplit(
            f"{dataset.info.name} has no split '{split}'. "
            f"Available: {', '.join(dataset.splits)}."
        )
    return dataset.load(split)
