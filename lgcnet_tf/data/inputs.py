"""What a split is made of, so that a run can tell whether it is still the same."""

import os

from lgcnet_tf.data.load import open_divided, split_names
from lgcnet_tf.data.registry import dataset_info
from lgcnet_tf.errors import NoSuchSplit


def split_inputs(
    dataset: str,
    split: str,
    data_dir: str | os.PathLike | None = None,
    val_share: float = 0.0,
    split_seed: int = 0,
    group_by: str = "",
) -> dict[str, dict[str, str]]:
    """Fingerprints of a split's files and of its classes, as run folders keep them.

    The files are those read for it, by their paths in `data_dir`; for Cityscapes
    the archives; for toy_streets, which has none, the code that draws it.

    Args:
        all: as for `load_samples`, several splits too.

    Returns:
        The files by name, nothing for a split that the data do not have; and
        the names of the classes.

    Raises:
        InputError: as `load_samples`.
    """
    info = dataset_info(dataset, data_dir)
    opened = open_divided(dataset, data_dir, val_share, split_seed, group_by)
    found = {}
    for name in split_names(split):
        try:
            files = opened.inputs(name)
        except NoSuchSplit:
            files = {}
        found[f"split {name} of {data_dir or dataset}"] = files
    names = {str(index): name for index, name in enumerate(info.class_names)}
    return found | {f"classes of {info.name}": names | {"void": str(info.void_label)}}
