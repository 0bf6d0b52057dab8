"""What every data set is: classes, splits and a way to read their samples."""

import abc
import concurrent.futures
import hashlib
import os
import pathlib
from collections.abc import Iterable, Mapping, Sequence

from lgcnet_tf.data.info import DatasetInfo
from lgcnet_tf.data.samples import Entry, Sample, Samples
from lgcnet_tf.files import fingerprint


class Dataset(abc.ABC):
    """A data set; a new one gives `info`, `splits` and `read`.

    Nothing is decoded before it is asked for, and nothing here needs TensorFlow.

    Attributes:
        info: the classes.
        splits: the entries of every split there is; each has a `name` that is
            unique in its split.
    """

    info: DatasetInfo
    splits: Mapping[str, Sequence[Entry]]

    @abc.abstractmethod
    def read(self, entry: Entry) -> Sample:
        """Decodes and checks one sample.

        Raises:
            InputError: names the file and what is wrong in it.
        """

    def fingerprint(self) -> str:
        """Changes whenever any sample may have changed.

        By default it knows the entries alone; a data set whose files may change
        under the same names has its own.
        """
        text = repr({split: list(entries) for split, entries in self.splits.items()})
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def load(self, split: str) -> Samples:
        """The samples of one of `splits`, decoded when they are asked for."""
        return read_directly(self, split)

    def inputs(self, split: str) -> dict[str, str]:
        """What a split is made of, by name, so that a run knows when it is another."""
        return {"samples": self.fingerprint()} if split in self.splits else {}


def read_directly(dataset: Dataset, split: str) -> Samples:
    """A split's samples from `Dataset.read`, without a prepared copy of them."""
    entries = dataset.splits[split]
    return Samples(
        dataset.info,
        split,
        len(entries),
        lambda index: dataset.read(entries[index]),
        name=lambda index: entries[index].name,
    )


def file_fingerprints(
    folder: str | os.PathLike, paths: Iterable[pathlib.Path]
) -> dict[str, str]:
    """Size and SHA-256 of files by their paths in `folder`.

    Raises:
        InputError: one cannot be read.
    """
    paths = list(paths)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        names = [path.relative_to(folder).as_posix() for path in paths]
        return dict(zip(names, pool.map(fingerprint, paths)))
