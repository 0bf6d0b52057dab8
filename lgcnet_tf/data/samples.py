"""A split of a data set as a sequence of decoded samples."""

import collections.abc
import concurrent.futures
import functools
import os
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from lgcnet_tf.data.info import DatasetInfo

# A split that needs less than this when decoded is kept in memory.
MEMORY_LIMIT_BYTES = 2 * 1024**3


class Sample(NamedTuple):
    """One image with its label.

    Attributes:
        name: unique in its split, without folder or suffix.
        image: uint8 RGB `(height, width, 3)`.
        label: uint8 `(height, width)`, class index or 255 for void.
    """

    name: str
    image: np.ndarray
    label: np.ndarray


class Entry(Protocol):
    """What a reader knows of a sample before it has been read."""

    name: str


class Samples(collections.abc.Sequence):
    """The samples of one split, decoded when asked for.

    Decoded samples stay in memory when the whole split fits into
    `MEMORY_LIMIT_BYTES`; their arrays are read-only. Reading from several
    threads is safe.

    Attributes:
        info: the classes.
        split: name of the split, or names with commas between.
        checked: every sample is known to be readable.
    """

    def __init__(
        self,
        info: DatasetInfo,
        split: str,
        count: int,
        read: Callable[[int], Sample],
        checked: bool = False,
        name: Callable[[int], str] | None = None,
        on_checked: Callable[[], None] | None = None,
    ):
        """Makes the sequence.

        Args:
            info: the classes.
            split: name of the split.
            count: number of samples.
            read: decodes the sample of an index.
            checked: every sample is known to be readable.
            name: the name of the sample of an index; by default samples are
                decoded for theirs.
            on_checked: called when every sample has been read without an error.
        """
        self.info = info
        self.split = split
        self._count = count
        self._read = read
        self._cache: dict[int, Sample] = {}
        self._keep: bool | None = None
        self._kept_bytes = 0
        self.checked = checked
        self._name = name or (lambda index: self[index].name)
        self._on_checked = on_checked

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index):
        if isinstance(index, slice):
            return self.take(range(len(self))[index])
        index = range(len(self))[index]
        sample = self._cache.get(index)
        if sample is None:
            sample = self.read(index)
            size = sample.image.nbytes + sample.label.nbytes
            if self._keep is None:
                self._keep = size * len(self) < MEMORY_LIMIT_BYTES
            # The others may be larger than the first one.
            if self._keep and self._kept_bytes + size < MEMORY_LIMIT_BYTES:
                self._kept_bytes += size
                self._cache[index] = sample
        return sample

    def read(self, index: int) -> Sample:
        """Decodes the sample of an index without keeping it."""
        sample = self._read(index)
        sample.image.flags.writeable = False
        sample.label.flags.writeable = False
        return sample

    def __iter__(self) -> Iterator[Sample]:
        return (self[i] for i in range(len(self)))

    @functools.cached_property
    def names(self) -> tuple[str, ...]:
        """The names of all samples, in order."""
        return tuple(map(self._name, range(len(self))))

    def take(self, indices: Sequence[int], split: str | None = None) -> "Samples":
        """The samples of some indices, in the order given.

        Args:
            indices: which ones.
            split: what to call them; by default as they were called.
        """
        return Samples(
            self.info,
            self.split if split is None else split,
            len(indices),
            lambda index: self[indices[index]],
            self.checked,
            lambda index: self._name(indices[index]),
        )

    def check(self) -> None:
        """Reads every sample once, if nobody has yet.

        Raises:
            InputError: a sample is damaged or does not fit the classes.
        """
        if not self.checked:
            with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
                for _ in pool.map(lambda i: self[i] and None, range(len(self))):
                    pass
            self.checked = True
            if self._on_checked:
                self._on_checked()
