"""The data sets that have a name, each behind the same door."""

import importlib.metadata
import os
import re
from collections.abc import Callable
from typing import NamedTuple

from lgcnet_tf.data.dataset import Dataset
from lgcnet_tf.data.info import DatasetInfo
from lgcnet_tf.errors import InputError, did_you_mean

ENTRY_POINTS = "lgcnet_tf.datasets"
"""Group of the entry points by which an installed package brings data sets."""

Loader = Callable[[str | os.PathLike | None], Dataset]
"""Opens a data set from the folder of its files; None where none was given."""


class _Registered(NamedTuple):
    loader: Loader
    info: DatasetInfo | None


_registered: dict[str, _Registered] = {}


def register_dataset(
    name: str, loader: Loader, info: DatasetInfo | None = None
) -> None:
    """Gives a data set a name, by which `--dataset` and `load_samples` find it.

    A later one of the same name takes the earlier one's place, as when the cell of
    a notebook is run again. A package that is installed brings its data sets to the
    commands by entry points of the group `lgcnet_tf.datasets`: the entry's name is
    the data set's, its object the loader.

    Args:
        name: of letters, digits, `_` and `-`.
        loader: opens it; called with the data folder or None.
        info: the classes, where they do not depend on the folder; so that they are
            known without one.

    Raises:
        InputError: it is no such name.

    Example:
        >>> import collections
        >>> import numpy as np
        >>> import lgcnet_tf as lt
        >>> from lgcnet_tf import data
        >>> Entry = collections.namedtuple("Entry", "name width")
        >>> class Stripes(data.Dataset):
        ...     info = data.DatasetInfo.of("stripes", {"left": (255, 0, 0), "right": (0, 0, 255)})
        ...     splits = {"train": [Entry("one", 3), Entry("two", 9)]}
        ...     def read(self, entry):
        ...         label = np.zeros((6, 12), np.uint8)
        ...         label[:, entry.width :] = 1
        ...         return data.Sample(entry.name, self.info.colorize(label), label)
        >>> lt.register_dataset("stripes", lambda data_dir: Stripes())
        >>> lt.load_dataset("stripes", "train")[1].label[0].tolist()
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1]
    """
    if not re.fullmatch(r"[\w-]+", name):
        raise InputError(
            f"A data set's name is of letters, digits, _ and -. Received: {name!r}"
        )
    _registered[name] = _Registered(loader, info)


def dataset_names() -> tuple[str, ...]:
    """The names of all data sets: registered ones, then those of entry points."""
    brought = importlib.metadata.entry_points(group=ENTRY_POINTS).names
    return tuple(dict.fromkeys([*_registered, *sorted(brought)]))


def open_dataset(name: str, data_dir: str | os.PathLike | None = None) -> Dataset:
    """Opens the data set `name`.

    Args:
        name: one of `dataset_names`.
        data_dir: folder of its files, if it needs any.

    Raises:
        InputError: there is no such data set, the message lists those there are;
            or its files are not what it needs.
    """
    return _find(name).loader(data_dir)


def dataset_info(name: str, data_dir: str | os.PathLike | None = None) -> DatasetInfo:
    """Returns the classes of the data set `name`.

    Args:
        name, data_dir: as for `open_dataset`; the folder is looked into only where
            the classes stand there.

    Raises:
        InputError: as `open_dataset`.
    """
    found = _find(name)
    return found.loader(data_dir).info if found.info is None else found.info


def classes_stand_in_folder(name: str) -> bool:
    """Whether `dataset_info` needs the data folder.

    Raises:
        InputError: as `open_dataset`, where there is no such data set.
    """
    return _find(name).info is None


def _find(name: str) -> _Registered:
    if name not in _registered:
        for entry in importlib.metadata.entry_points(group=ENTRY_POINTS, name=name):
            register_dataset(name, entry.load())
    if name not in _registered:
        names = dataset_names()
        raise InputError(
            f"Unknown dataset '{name}'.{did_you_mean(name, names)} Available: "
            f"{', '.join(names)}."
        )
    return _registered[name]
