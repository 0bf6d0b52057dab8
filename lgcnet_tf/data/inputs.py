"""What a split is made of, so that a run can tell whether it is still the same."""

import concurrent.futures
import os
import pathlib

from lgcnet_tf.data.camvid.folder import CamvidFolder
from lgcnet_tf.data.cityscapes import archives_of
from lgcnet_tf.data.info import dataset_info
from lgcnet_tf.data.toy_streets.streets import ToyStreets
from lgcnet_tf.errors import NoSuchSplit
from lgcnet_tf.files import fingerprint


def split_inputs(
    dataset: str, split: str, data_dir: str | os.PathLike | None = None
) -> dict[str, dict[str, str]]:
    """Fingerprints of a split's files and of its classes, as run folders keep them.

    The files are those read for it, by their paths in `data_dir`; for Cityscapes
    the archives; for toy_streets, which has none, the code that draws it.

    Args:
        dataset, split, data_dir: as for `load_samples`, several splits too.

    Returns:
        The files by name, nothing for a split that the data do not have; and
        the names of the classes.

    Raises:
        InputError: as `load_samples`.
    """
    if "," in split:
        found = {}
        for one in split.split(","):
            found |= split_inputs(dataset, one.strip(), data_dir)
        return found
    info = dataset_info(dataset)
    names = {str(index): name for index, name in enumerate(info.class_names)}
    found = {f"classes of {dataset}": names | {"void": str(info.void_label)}}
    try:
        files = _files(dataset, split, data_dir)
    except NoSuchSplit:
        files = {}
    return {f"split {split} of {data_dir or dataset}": files} | found


def _files(dataset, split, data_dir) -> dict[str, str]:
    if dataset == "cityscapes":
        folder, paths = pathlib.Path(data_dir or ""), archives_of(split, data_dir)
    else:
        reader = ToyStreets() if dataset == "toy_streets" else CamvidFolder(data_dir)
        entries = reader.splits.get(split, ())
        values = [value for entry in entries for value in vars(entry).values()]
        paths = [value for value in values if isinstance(value, pathlib.Path)]
        if not paths:  # drawn
            return {"pictures": reader.fingerprint()} if entries else {}
        folder = reader.folder
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        names = [path.relative_to(folder).as_posix() for path in paths]
        return dict(zip(names, pool.map(fingerprint, paths)))
