"""Models and data sets by name."""

import fnmatch
import os
import pathlib
from typing import TYPE_CHECKING

import numpy as np

from lgcnet_tf.api.run import argument_names, import_quietly
from lgcnet_tf.commands.evaluate import EvaluateOptions
from lgcnet_tf.config import DataOptions, Size
from lgcnet_tf.data import load_samples
from lgcnet_tf.data.samples import Samples
from lgcnet_tf.errors import InputError

if TYPE_CHECKING:
    from lgcnet_tf.model.network import Network


def list_models(pattern: str = "*") -> list[str]:
    """Names of the trained models that come with the package.

    Args:
        pattern: with wildcards, as `"*camvid*"`.

    Example:
        >>> import lgcnet_tf as lt
        >>> lt.list_models("*camvid*")
        ['lgcnet_camvid', 'lgcnet_camvid_accurate', 'lgcnet_camvid_fast']
    """
    import_quietly()
    from lgcnet_tf.model.zoo import zoo_names

    return fnmatch.filter(zoo_names(), pattern)


def load(model: str | os.PathLike, input_size: Size | None = None) -> "Network":
    """Loads a network with its weights.

    Args:
        model: a name of `list_models`, or the path of a `.keras` file or a genotype,
            whose network has random weights.
        input_size: (height, width) to build it for; by default the one it was saved
            at or, for a genotype, searched at.

    Raises:
        InputError: there is no such model, or the file is damaged.

    Example:
        >>> import lgcnet_tf as lt
        >>> net = lt.load("lgcnet_camvid")
        >>> net.num_classes, net.input_size
        (11, (360, 480))
    """
    import_quietly()
    from lgcnet_tf.model.zoo import load_network

    with argument_names(EvaluateOptions):
        return load_network(model, input_size)


def load_dataset(
    name: str, split: str = "train", data_dir: str | os.PathLike | None = None
) -> Samples:
    """Opens a split of a data set: a sequence of images with their labels.

    Args:
        name: of the data set, as `"toy_streets"` or `"camvid"`.
        split: `"train"`, `"val"` or `"test"`, where the data have it; several with
            commas between.
        data_dir: folder of its files, if it needs any.

    Returns:
        Samples with `name`, `image`, uint8 RGB (height, width, 3), and `label`, uint8
        (height, width); `info` has names and colours of the classes.

    Raises:
        InputError: no such data set or split, or no files of it in the folder.

    Example:
        >>> import lgcnet_tf as lt
        >>> samples = lt.load_dataset("toy_streets", "val")
        >>> samples[0].image.shape, samples[0].label.shape, samples.info.class_names[0]
        ((96, 160, 3), (96, 160), 'road')
    """
    import_quietly()
    with argument_names(DataOptions):
        return load_samples(name, split, data_dir)


def as_file(model: "str | os.PathLike | Network", path: pathlib.Path) -> str:
    """A model as the commands take it: its name or path, or `path` with the object.

    Raises:
        InputError: another network is there.
    """
    if isinstance(model, str | os.PathLike):
        return os.fspath(model)
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        model.save(path)
    elif not _same(load(path), model):
        raise InputError(f"{path}: of another run; choose another --output_dir.")
    return str(path)


def _same(one: "Network", other: "Network") -> bool:
    """Whether two networks are alike in form and weights."""
    if (one.genotype, one.input_size) != (other.genotype, other.input_size):
        return False
    pairs = zip(one.get_weights(), other.get_weights(), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)
