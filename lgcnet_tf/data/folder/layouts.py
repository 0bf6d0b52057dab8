"""Where a data folder has its images and masks: four layouts.

1. Lists: `train.txt`, and `val.txt`, `test.txt` where there are such splits. A line
   has the paths of an image and of its mask, with a tab, or white space, between;
   relative paths begin at the folder.
2. `images/` and `masks/` (or `labels/`, `annotations/`), with a subfolder for each
   split, or without: then all is the split train.
3. `train/images/` and `train/masks/`, `val/images/` and `val/masks/`, and so on.
4. `train/` and `trainannot/`, `val/` and `valannot/`, and so on.

The first of these that is there counts. In all but the first a mask is named after its image,
with or without `_mask`, `_label`, `_labels` or `_L` behind, and further subfolders
are alike on both sides. `valid`, `validation` and `dev` are the split val. Hidden
files, and those that operating systems leave, are passed over.
"""

import os
import pathlib
from collections.abc import Iterator
from typing import NamedTuple

from lgcnet_tf.data.images import read_bytes
from lgcnet_tf.errors import InputError

IMAGES, MASKS = "images", ("masks", "labels", "annotations")
ANNOT = "annot"
SPLITS = ("train", "val", "test")

_ALIASES = {"valid": "val", "validation": "val", "dev": "val", "training": "train"}
_ENDINGS = ("_mask", "_label", "_labels", "_L")
_SUFFIXES = (".png", ".jpg", ".jpeg")
_OTHER_PICTURES = (".bmp", ".gif", ".tif", ".tiff", ".webp", ".heic", ".avif", ".jp2")
_LEFT_BEHIND = ("thumbs.db", "desktop.ini", "__macosx")


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
        if (folder / IMAGES).is_dir():
            raise InputError(
                f"{folder}: there is {IMAGES}/ but no {MASKS[0]}/; put masks there."
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
        split = _ALIASES.get(stem, stem)
        if suffix == ".txt" and split in SPLITS and entry.is_file():
            _add(
                splits, split, _read_list(folder, pathlib.Path(entry.path)), entry.path
            )
    return splits


def _read_list(folder, path) -> list[Pair]:
    try:
        lines = read_bytes(path).decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: must be UTF-8 text: {error}.") from None
    pairs, seen = [], {}
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
            raise InputError(
                f"{path}: line {number}: {parts[0]} also stands on line {seen[name]}; "
                "leave out one of them."
            )
        seen[name] = number
        pairs.append(Pair(name, image, mask))
    if not pairs:
        raise InputError(
            f"{path}: the split is empty; the file lists no images: "
            "name some, or remove it."
        )
    return pairs


def _from_images(folder) -> dict[str, list[Pair]]:
    images = folder / IMAGES
    masks = _masks_in(folder)
    if not images.is_dir() or masks is None:
        return {}
    below = visible(images)
    folders = [entry.name for entry in below if entry.is_dir()]
    if not any(_ALIASES.get(name, name) in SPLITS for name in folders):
        return {"train": _pairs(images, masks, "")}
    for entry in below:
        if not entry.is_dir() and _suffix(entry.name) in _SUFFIXES:
            raise InputError(
                f"{entry.path}: an image beside the folders of the splits "
                f"{', '.join(folders)}; put it into one of them."
            )
    splits: dict[str, list[Pair]] = {}
    for name in folders:
        pairs = _pairs(images / name, masks / name, f"{name}/")
        _add(splits, _ALIASES.get(name, name), pairs, images / name)
    for entry in visible(masks):
        if entry.is_dir() and entry.name not in folders:
            raise InputError(
                f"{entry.path}: masks without images; {images / entry.name} is absent: "
                "bring it, or remove the masks."
            )
    return splits


def _masks_in(folder) -> pathlib.Path | None:
    return next((folder / name for name in MASKS if (folder / name).is_dir()), None)


def _from_splits(folder) -> dict[str, list[Pair]]:
    splits: dict[str, list[Pair]] = {}
    for entry in visible(folder):
        below = pathlib.Path(entry.path)
        masks = _masks_in(below)
        if masks is not None and (below / IMAGES).is_dir():
            pairs = _pairs(below / IMAGES, masks, f"{entry.name}/")
            _add(splits, _ALIASES.get(entry.name, entry.name), pairs, below)
    return splits


def _from_annot(folder) -> dict[str, list[Pair]]:
    splits: dict[str, list[Pair]] = {}
    names = {entry.name for entry in visible(folder) if entry.is_dir()}
    for name in sorted(names):
        if name.endswith(ANNOT) and name != ANNOT and name[: -len(ANNOT)] not in names:
            raise InputError(
                f"{folder / name}: masks without images; "
                f"{folder / name[: -len(ANNOT)]} is absent: bring it, or remove the masks."
            )
        if name + ANNOT in names:
            pairs = _pairs(folder / name, folder / (name + ANNOT), f"{name}/")
            _add(splits, _ALIASES.get(name, name), pairs, folder / name)
        elif _ALIASES.get(name, name) in SPLITS:
            raise InputError(
                f"{folder / name}: images without masks; {folder / (name + ANNOT)} is "
                "absent: bring it, or remove the images."
            )
    return splits


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
    pairs = []
    for stem, image in image_files.items():
        for mask in (stem, *(stem + ending for ending in _ENDINGS)):
            if mask in mask_files:
                pairs.append(Pair(prefix + stem, image, mask_files.pop(mask)))
                break
        else:
            raise InputError(
                f"{image}: image without mask; expected {masks / stem}.png."
            )
    if mask_files:
        stem, path = next(iter(mask_files.items()))
        raise InputError(f"{path}: mask without image; expected {images / stem}.png.")
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
        stem = relative + entry.name[: -len(suffix)]
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


def _suffix(name):
    return os.path.splitext(name)[1].lower()
