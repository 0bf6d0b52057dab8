"""Where a data folder has its images and masks: four layouts.

1. Lists: `train.txt`, and `val.txt`, `test.txt` where there are such splits. A line
   has the paths of an image and of its mask, with a tab, or white space, between;
   relative paths begin at the folder.
2. `images/` and `masks/` (or `labels/`, `annotations/`), with a subfolder for each
   split, or without: then all is the split train.
3. `train/images/` and `train/masks/`, `val/images/` and `val/masks/`, and so on.
4. `train/` and `trainannot/` (or `train_labels/`, `train_masks/`), `val/` and
   `valannot/`, and so on.

The first of these that is there counts. Folders may be written in capitals. In all
but the first a mask is named after its image, with or without `_mask`, `_label`, `_labels` or `_L` behind, and further subfolders
are alike on both sides. `valid`, `validation` and `dev` are the split val. A split test
without masks is left out. Hidden files, and those that operating systems leave, are
passed over.
"""

import logging
import os
import pathlib
import unicodedata
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from lgcnet_tf.data.images import read_bytes
from lgcnet_tf.errors import InputError

IMAGES, MASKS = "images", ("masks", "labels", "annotations")
ANNOT = ("annot", "_annot", "_labels", "_masks")
SPLITS = ("train", "val", "test")

_ALIASES = {"valid": "val", "validation": "val", "dev": "val", "training": "train"}
KNOWN_SPLITS = (*SPLITS, *_ALIASES)
"""Names that folders and lists of the three splits may have."""

_ENDINGS = ("_mask", "_label", "_labels", "_L")
_SUFFIXES = (".png", ".jpg", ".jpeg")
_OTHER_PICTURES = (".bmp", ".gif", ".tif", ".tiff", ".webp", ".heic", ".avif", ".jp2")
_LEFT_BEHIND = ("thumbs.db", "desktop.ini", "__macosx", "@eadir")


class Pair(NamedTuple):
    """An image's file and its mask's.

    Attributes:
        name: the image's path in the folder without its suffix, and without
            `images/` in front.
        image, mask: paths.
    """

    name: str
    image: str
    mask: str


def find_splits(folder: pathlib.Path) -> dict[str, list[Pair]]:
    """The images and masks of every split, by name; train, val and test first.

    Raises:
        InputError: the folder has none of the layouts, a mask or an image is
            alone, a split is empty, or a list has a bad line.
    """
    for find in (_from_lists, _from_images, _from_splits, _from_annot):
        if splits := find(folder):
            break
    else:
        if (images := _images_in(folder)) is not None:
            raise InputError(
                f"{folder}: there is {images.name}/ but no {MASKS[0]}/; put masks there."
            )
        if (masks := _masks_in(folder)) is not None:
            raise InputError(
                f"{folder}: there is {masks.name}/ but no {IMAGES}/; put images there."
            )
        raise InputError(
            f"{folder}: no images found. Expected images/train/ with masks/train/, "
            "train/images/ with train/masks/, or train/ with trainannot/ (and val, "
            "test likewise), or train.txt with the paths of an image and its mask on "
            "each line."
        )
    order = sorted(splits, key=lambda s: (SPLITS.index(s) if s in SPLITS else 3, s))
    return {split: splits[split] for split in order}


def visible(folder: str | os.PathLike) -> list[os.DirEntry]:
    """What is in a folder but for hidden and left-behind files, by name.

    Raises:
        InputError: it cannot be read.
    """
    try:
        with os.scandir(folder) as entries:
            kept = [
                entry
                for entry in entries
                if not entry.name.startswith(".")
                and entry.name.lower() not in _LEFT_BEHIND
            ]
    except OSError as error:
        raise InputError(f"{folder}: cannot be read: {error.strerror}.") from None
    return sorted(kept, key=lambda entry: entry.name)


def _from_lists(folder) -> dict[str, list[Pair]]:
    splits: dict[str, list[Pair]] = {}
    for entry in visible(folder):
        stem, suffix = os.path.splitext(entry.name)
        split = _split(stem)
        if suffix == ".txt" and split in SPLITS and entry.is_file():
            pairs = _read_list(folder, pathlib.Path(entry.path))
            for other, known in splits.items():
                shared = {pair.image for pair in known} & {pair.image for pair in pairs}
                if shared:
                    raise InputError(
                        f"{entry.path}: {min(shared)} also stands in the list of "
                        f"{other}; leave it out of one of them."
                    )
            _add(splits, split, pairs, entry.path)
    return splits


def _read_list(folder, path) -> list[Pair]:
    try:
        lines = read_bytes(path).decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: must be UTF-8 text: {error}.") from None
    pairs, seen = [], dict[str, tuple[int, str]]()
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        parts = line.strip().split("\t") if "\t" in line else line.split()
        if len(parts) != 2:
            raise InputError(
                f"{path}: line {number} must have the paths of an image and of its "
                f"mask, with a tab between where they have blanks. Received: {line!r}"
            )
        image, mask = (os.path.join(folder, part.strip()) for part in parts)
        for what, file in (("image", image), ("mask", mask)):
            # A link to nothing is told when its split is asked for.
            if not os.path.isfile(file) and not os.path.islink(file):
                raise InputError(
                    f"{path}: line {number}: no such {what}: {file}; paths begin "
                    "at the folder: give them so, or whole."
                )
        name = os.path.splitext(parts[0].strip().lstrip("/"))[0].replace("../", "")
        if name in seen:
            other, written = seen[name]
            also = (
                "also stands" if written == parts[0] else f"has the name of {written}"
            )
            raise InputError(
                f"{path}: line {number}: {parts[0]} {also} on line {other}; "
                "leave out one of them."
            )
        seen[name] = number, parts[0]
        pairs.append(Pair(name, image, mask))
    if not pairs:
        raise InputError(
            f"{path}: the split is empty; the file lists no images: "
            "name some, or remove it."
        )
    return pairs


def _from_images(folder) -> dict[str, list[Pair]]:
    images, masks = _images_in(folder), _masks_in(folder)
    if images is None or masks is None:
        return {}
    below = visible(images)
    folders = [entry.name for entry in below if entry.is_dir()]
    if not any(_split(name) in SPLITS for name in folders):
        return {"train": _pairs(images, masks, "")}
    for entry in below:
        if not entry.is_dir() and _suffix(entry.name) in _SUFFIXES:
            raise InputError(
                f"{entry.path}: an image beside the folders of the splits "
                f"{', '.join(folders)}; put it into one of them."
            )
    splits: dict[str, list[Pair]] = {}
    for name in folders:
        of_split = _folder(masks, [name.lower()]) or masks / name
        if not of_split.is_dir() and _without_labels(_split(name), images / name):
            continue
        pairs = _pairs(images / name, of_split, f"{name}/")
        _add(splits, _split(name), pairs, images / name)
    for entry in visible(masks):
        if entry.is_dir() and _folder(images, [entry.name.lower()]) is None:
            raise InputError(
                f"{entry.path}: masks without images; {images / entry.name} is absent: "
                "bring it, or remove the masks."
            )
    for entry in visible(folder):
        inside = entry.is_dir() and _images_in(pathlib.Path(entry.path))
        if inside and _split(entry.name) in SPLITS:
            raise InputError(
                f"{inside}: images in another layout than {images}; bring all splits "
                "into one of the two."
            )
    return splits


def _images_in(folder) -> pathlib.Path | None:
    return _folder(folder, [IMAGES])


def _masks_in(folder) -> pathlib.Path | None:
    return _folder(folder, MASKS)


def _from_splits(folder) -> dict[str, list[Pair]]:
    splits: dict[str, list[Pair]] = {}
    for entry in visible(folder):
        if not entry.is_dir():
            continue
        below, split = pathlib.Path(entry.path), _split(entry.name)
        images, masks = _images_in(below), _masks_in(below)
        if images is not None and masks is not None:
            _add(splits, split, _pairs(images, masks, f"{entry.name}/"), below)
        elif images is not None and split in SPLITS:
            if not _without_labels(split, images):
                raise InputError(
                    f"{images}: images without masks; {below / MASKS[0]} is absent: bring "
                    "it, or remove the images."
                )
    return splits


def _from_annot(folder) -> dict[str, list[Pair]]:
    splits: dict[str, list[Pair]] = {}
    names = {
        entry.name.lower(): entry.name for entry in visible(folder) if entry.is_dir()
    }
    for low, name in sorted(names.items()):
        ending = next((e for e in ANNOT if low.endswith(e) and low != e), "")
        if ending and low.removesuffix(ending) not in names:
            if _split(low.removesuffix(ending)) not in SPLITS and ending != ANNOT[0]:
                continue
            raise InputError(
                f"{folder / name}: masks without images; "
                f"{folder / name[: -len(ending)]} is absent: bring it, or remove the masks."
            )
        masks = next((names[low + e] for e in ANNOT if low + e in names), None)
        if masks:
            pairs = _pairs(folder / name, folder / masks, f"{name}/")
            _add(splits, _split(name), pairs, folder / name)
        elif _split(name) in SPLITS and not _without_labels(
            _split(name), folder / name
        ):
            raise InputError(
                f"{folder / name}: images without masks; {folder / (name + ANNOT[0])} is "
                "absent: bring it, or remove the images."
            )
    return splits


def _without_labels(split, images) -> bool:
    """Whether images of a split may be left out that have no masks: of a test split."""
    if split == "test":
        logging.getLogger("lgcnet_tf").warning(
            "%s: images without masks: the split test is left out", images
        )
    return split == "test"


def _add(splits, split, pairs, where):
    if split in splits:
        raise InputError(
            f"{where}: there are two folders or lists of the split {split}; leave "
            "out one of them."
        )
    splits[split] = pairs


def _pairs(images: pathlib.Path, masks: pathlib.Path, prefix: str) -> list[Pair]:
    """Pairs images with masks by their paths, both without exception."""
    if not masks.is_dir():
        raise InputError(
            f"{images}: images without masks; {masks} is absent: bring it, or remove "
            "the images."
        )
    image_files = dict(_by_stem(images, _SUFFIXES, "PNG and JPEG images are"))
    mask_files = dict(_by_stem(masks, (".png",), "PNG masks are"))
    if not image_files:
        raise InputError(
            f"{images}: the split is empty; no images (.png, .jpg) there: "
            "put some there, or remove it."
        )
    pairs, alone = [], []
    for stem, image in image_files.items():
        for mask in (stem, *(stem + ending for ending in _ENDINGS)):
            if mask in mask_files:
                pairs.append(Pair(prefix + stem, image, mask_files.pop(mask)))
                break
        else:
            alone.append((image, f"image without mask; expected {masks / stem}.png"))
    alone += [
        (path, f"mask without image; expected {images / stem}.png")
        for stem, path in mask_files.items()
    ]
    if alone:
        path, said = alone[0]
        more = f", and {len(alone) - 1} more are alone" if len(alone) > 1 else ""
        raise InputError(f"{path}: {said}{more}.")
    return pairs


def _by_stem(root, suffixes, what) -> Iterator[tuple[str, str]]:
    """Paths of a folder's files, and of those below it, by path without suffix."""
    seen: dict[str, str] = {}
    for relative, entry in _walk(root, ""):
        suffix = _suffix(entry.name)
        if suffix not in suffixes:
            if suffix in (*_OTHER_PICTURES, *_SUFFIXES):
                raise InputError(f"{entry.path}: a {suffix} file; {what} read.")
            continue
        # Systems write the same letters in two ways.
        stem = unicodedata.normalize("NFC", relative + entry.name[: -len(suffix)])
        if stem in seen:
            raise InputError(
                f"{entry.path}: there is also {seen[stem]}; leave out one of them."
            )
        seen[stem] = entry.name
        yield stem, entry.path


def _walk(root, relative) -> Iterator[tuple[str, os.DirEntry]]:
    for entry in visible(root):
        if entry.is_dir():
            yield from _walk(entry.path, f"{relative}{entry.name}/")
        else:
            yield relative, entry


def _split(name: str) -> str:
    """The split of a folder's or list's name; other names stand for themselves."""
    low = name.lower()
    return _ALIASES.get(low, low if low in SPLITS else name)


def _folder(root: pathlib.Path, names: Iterable[str]) -> pathlib.Path | None:
    """The first folder of these names, in whatever case they are written."""
    found = {e.name.lower(): e.path for e in visible(root) if e.is_dir()}
    return next((pathlib.Path(found[name]) for name in names if name in found), None)


def _suffix(name):
    return os.path.splitext(name)[1].lower()
