"""A folder of the user's own as a data set: `--dataset=folder`."""

import concurrent.futures
import contextlib
import hashlib
import os
import pathlib
from collections.abc import Iterable

from lgcnet_tf.data import images, tfds_source
from lgcnet_tf.data.dataset import Dataset
from lgcnet_tf.data.folder.classes import read_classes
from lgcnet_tf.data.folder.layouts import Pair, find_splits
from lgcnet_tf.data.folder.masks import MaskDecoder
from lgcnet_tf.data.samples import Sample, Samples
from lgcnet_tf.errors import InputError

ENDS = 4096
"""Bytes at either end of a file that its fingerprint reads. The end of a PNG has the
checksum of all its pixels; another JPEG has another size, nearly always."""

MOST_FILES = 4000
"""A split of more files is fingerprinted by folder, not by file."""


class FolderDataset(Dataset):
    """A folder with a class file, images and masks; see `classes` and `layouts`.

    Only names are read here: a large folder costs seconds and a few hundred bytes
    an image.

    Args:
        data_dir: the folder.

    Attributes:
        classes: what the masks' values and colours mean.

    Raises:
        InputError: the folder or its class file is absent or malformed, or images
            and masks do not go together.
    """

    def __init__(self, data_dir: str | os.PathLike | None):
        if not data_dir:
            raise InputError(
                "--data_dir is missing: --dataset=folder needs the folder of your data."
            )
        self.folder = pathlib.Path(data_dir)
        if not self.folder.is_dir():
            raise InputError(
                f"{data_dir}: no such data folder; name it with --data_dir."
            )
        self.classes = read_classes(self.folder)
        self.info = self.classes.info
        self.splits: dict[str, list[Pair]] = find_splits(self.folder)
        self._decoder = MaskDecoder(self.classes)

    def read(self, entry: Pair) -> Sample:
        """Decodes and checks one sample, image and mask upright by their EXIF.

        Raises:
            InputError: a file is damaged, the sizes differ, or the mask has a
                value or colour of no class.
        """
        image = images.decode_image(images.read_bytes(entry.image), entry.image)
        mask = self._decoder.decode(images.read_bytes(entry.mask), entry.mask)
        images.check_sizes(image, mask, entry.image, entry.mask)
        return Sample(entry.name, image, mask)

    def load(self, split: str) -> Samples:
        """The samples of a split; that all can be read is found out only once.

        A note of it stays in the cache folder, by names, sizes and times of change.
        """
        entries = self.splits[split]
        note = tfds_source.cache_folder() / "checked" / self._state(split)

        def take_note():
            with contextlib.suppress(OSError):  # then it is found out anew
                note.parent.mkdir(parents=True, exist_ok=True)
                note.touch()

        return Samples(
            self.info,
            split,
            len(entries),
            lambda index: self.read(entries[index]),
            checked=note.exists(),
            name=lambda index: entries[index].name,
            on_checked=take_note,
        )

    def fingerprint(self) -> str:
        """A hash of the state of all splits' files."""
        states = "".join(self._state(split) for split in self.splits)
        return hashlib.sha256(states.encode()).hexdigest()[:16]

    def inputs(self, split: str) -> dict[str, str]:
        """Size and hash of both ends of every file, of a large split by folder."""
        pairs = self.splits.get(split, ())
        if not pairs:
            return {}
        paths = [path for pair in pairs for path in (pair.image, pair.mask)]
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            found = zip(
                (os.path.relpath(path, self.folder) for path in paths),
                pool.map(_ends, paths),
            )
            if len(paths) > MOST_FILES:
                found = _by_folder(found)
            return {self.classes.path.name: _ends(self.classes.path), **dict(found)}

    def _state(self, split: str) -> str:
        digest = hashlib.sha256(images.read_bytes(self.classes.path))
        for pair in self.splits[split]:
            for path in (pair.image, pair.mask):
                try:
                    stat = os.stat(path)
                except OSError:  # a link to nothing, for one: who reads it says so
                    digest.update(f"{path}\0absent\n".encode())
                    continue
                times = f"{stat.st_mtime_ns} {stat.st_ctime_ns}"
                digest.update(f"{path}\0{stat.st_size} {times}\n".encode())
        return digest.hexdigest()[:32]


def _ends(path: str | os.PathLike) -> str:
    try:
        with open(path, "rb") as file:
            digest = hashlib.sha256(file.read(ENDS))
            size = os.fstat(file.fileno()).st_size
            if size > ENDS:
                file.seek(max(ENDS, size - ENDS))
                digest.update(file.read())
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}.") from None
    return f"{size} bytes, {digest.hexdigest()[:16]}"


def _by_folder(found: Iterable[tuple[str, str]]) -> dict[str, str]:
    digests: dict[str, hashlib._Hash] = {}
    counts: dict[str, int] = {}
    for path, state in found:
        folder = os.path.dirname(path)
        digest = digests.setdefault(folder, hashlib.sha256())
        digest.update(f"{os.path.basename(path)} {state}\n".encode())
        counts[folder] = counts.get(folder, 0) + 1
    return {
        folder: f"{counts[folder]} files, {digest.hexdigest()[:16]}"
        for folder, digest in digests.items()
    }
