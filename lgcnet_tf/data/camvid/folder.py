"""CamVid in either of its two layouts, read without TensorFlow.

SegNet's layout has for each split a folder of images (`train/`, .png or .jpg)
and one of label maps (`trainannot/`, .png, one class index a pixel, 11 = void).
The official one has all images in one folder, all labels, painted in the
colours of 32 classes, in another, and the standard split of 367, 101 and 233
images, whose names are embedded here. The 32 classes are grouped to 11 as in
SegNet (Badrinarayanan et al., 2017).
"""

import dataclasses
import hashlib
import importlib.resources
import os
import pathlib
from collections.abc import Iterable, Sequence

import numpy as np

from lgcnet_tf.data import images, tfds_source
from lgcnet_tf.data.camvid.classes import INFO
from lgcnet_tf.data.dataset import Dataset, file_fingerprints
from lgcnet_tf.data.info import VOID
from lgcnet_tf.data.samples import Sample, Samples
from lgcnet_tf.errors import InputError

SPLITS = ("train", "val", "test")
VOID_INDEX = 11

_IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg")
_OFFICIAL_FOLDERS = (
    ("701_StillsRaw_full", "LabeledApproved_full"),
    ("images", "labels"),
)

# The colours of the official labels, by the class they are grouped to.
GROUPS: dict[str, tuple[tuple[int, int, int], ...]] = {
    "Sky": ((128, 128, 128),),
    # Building, Archway, Bridge, Tunnel, Wall
    "Building": (
        (128, 0, 0),
        (192, 0, 128),
        (0, 128, 64),
        (64, 0, 64),
        (64, 192, 0),
    ),
    # Column_Pole, TrafficCone
    "Pole": ((192, 192, 128), (0, 0, 64)),
    # Road, LaneMkgsDriv, LaneMkgsNonDriv
    "Road": ((128, 64, 128), (128, 0, 192), (192, 0, 64)),
    # Sidewalk, ParkingBlock, RoadShoulder
    "Pavement": ((0, 0, 192), (64, 192, 128), (128, 128, 192)),
    # Tree, VegetationMisc
    "Tree": ((128, 128, 0), (192, 192, 0)),
    # SignSymbol, Misc_Text, TrafficLight
    "SignSymbol": ((192, 128, 128), (128, 128, 64), (0, 64, 64)),
    "Fence": ((64, 64, 128),),
    # Car, SUVPickupTruck, Truck_Bus, Train, OtherMoving
    "Car": (
        (64, 0, 128),
        (64, 128, 192),
        (192, 128, 192),
        (192, 64, 128),
        (128, 64, 64),
    ),
    # Pedestrian, Child, CartLuggagePram, Animal
    "Pedestrian": ((64, 64, 0), (192, 128, 64), (64, 0, 192), (64, 128, 64)),
    # Bicyclist, MotorcycleScooter
    "Bicyclist": ((0, 128, 192), (192, 0, 192)),
}
_VOID_COLOR = (0, 0, 0)


@dataclasses.dataclass(frozen=True)
class Pair:
    """An image's file and its label's."""

    name: str
    image: pathlib.Path
    label: pathlib.Path


class CamvidFolder(Dataset):
    """Reader of a CamVid folder; finds out which layout it has.

    Attributes:
        info: the 11 classes.
        splits: the pairs of every split there is, sorted by name.
    """

    def __init__(self, data_dir: str | os.PathLike | None):
        """Lists the folder; decodes nothing.

        Raises:
            InputError: the folder is absent, empty or in neither layout, or an
                image has no label or a label no image.
        """
        self.info = INFO
        if data_dir is None:
            raise InputError(
                "camvid needs a data folder: give --data_dir a folder with "
                "train/ and trainannot/."
            )
        self.folder = pathlib.Path(data_dir)
        if not self.folder.is_dir():
            raise InputError(
                f"{data_dir}: no such data folder; name it with --data_dir."
            )
        self.painted = False
        self.splits: dict[str, Sequence[Pair]] = self._segnet_splits()
        if not self.splits:
            self.painted = True
            self.splits = self._official_splits()
        if not self.splits:
            raise InputError(
                f"{data_dir}: no CamVid images found. Expected train/ with "
                "trainannot/ (and val/, test/ likewise), or 701_StillsRaw_full/ "
                "with LabeledApproved_full/."
            )

    def _segnet_splits(self) -> dict[str, Sequence[Pair]]:
        splits = {}
        for split in SPLITS:
            folder = self.folder / split
            labels = self.folder / f"{split}annot"
            if folder.is_dir() or labels.is_dir():
                splits[split] = _pairs(folder, labels, "")
        return splits

    def _official_splits(self) -> dict[str, Sequence[Pair]]:
        for images_name, labels_name in _OFFICIAL_FOLDERS:
            folder = self.folder / images_name
            labels = self.folder / labels_name
            if folder.is_dir() or labels.is_dir():
                break
        else:
            return {}
        pairs = {pair.name: pair for pair in _pairs(folder, labels, "_L")}
        splits = {}
        for split in SPLITS:
            names = split_names(split)
            missing = [name for name in names if name not in pairs]
            if missing and len(missing) < len(names):
                raise InputError(
                    f"{folder}: {len(missing)} of the {len(names)} images of the "
                    f"{split} split are missing, {missing[0]} the first; bring them, or none."
                )
            if not missing:
                splits[split] = [pairs[name] for name in names]
        if not splits:
            raise InputError(
                f"{folder}: none of CamVid's standard splits is there; expected "
                f"images such as {split_names('train')[0]}.png."
            )
        return splits

    def read(self, entry: Pair) -> Sample:
        """Decodes and checks one sample.

        Raises:
            InputError: a file is damaged, the sizes differ, or the label has a
                value or colour of no class.
        """
        image = images.decode_image(images.read_bytes(entry.image), str(entry.image))
        data, where = images.read_bytes(entry.label), str(entry.label)
        if self.painted:
            label = group_colors(images.decode_image(data, where), where)
        else:
            label = images.index_label(
                images.decode_label(data, where), self.info, (VOID_INDEX,), where
            )
        images.check_sizes(image, label, str(entry.image), where)
        return Sample(entry.name, image, label)

    def load(self, split: str) -> Samples:
        """Opens a split, through TFDS where that is installed."""
        state = self._state((split,))
        return tfds_source.load_prepared(self, split, self.folder, state)

    def inputs(self, split: str) -> dict[str, str]:
        pairs = self.splits.get(split, ())
        paths = (path for pair in pairs for path in (pair.image, pair.label))
        return file_fingerprints(self.folder, paths)

    def fingerprint(self) -> str:
        """A hash of all files' names, sizes and times of change.

        Raises:
            InputError: a file cannot be read.
        """
        return self._state(self.splits)

    def _state(self, splits: Iterable[str]) -> str:
        digest = hashlib.sha256()
        for split in splits:
            for pair in self.splits[split]:
                for path in (pair.image, pair.label):
                    # ctime too: copying with kept times must not go unseen.
                    stat = _status(path)
                    digest.update(
                        f"{split}/{path.name} {stat.st_size} {stat.st_mtime_ns} "
                        f"{stat.st_ctime_ns}\n".encode()
                    )
        return digest.hexdigest()[:16]


def split_names(split: str) -> list[str]:
    """Names of the images in a standard split: train 367, val 101, test 233."""
    files = importlib.resources.files("lgcnet_tf.data.camvid")
    return (files / "splits" / f"{split}.txt").read_text().split()


def group_colors(colors: np.ndarray, where: str) -> np.ndarray:
    """Maps the official colours `(height, width, 3)` to the 11 classes.

    Raises:
        InputError: a colour is none of the 32; names file, colour and place.
    """
    codes = colors.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)
    present, inverse = np.unique(codes, return_inverse=True)
    table = _color_table()
    unknown = [int(code) for code in present if int(code) not in table]
    if unknown:
        y, x = np.argwhere(codes == unknown[0])[0]
        raise InputError(
            f"{where}: label colour {tuple(int(c) for c in colors[y, x])} at "
            f"x={x}, y={y} is none of CamVid's 32 classes; bring the label as it was released."
        )
    values = np.array([table[int(code)] for code in present], np.uint8)
    return values[inverse].reshape(codes.shape)


def _color_table() -> dict[int, int]:
    names = INFO.class_names
    table = {_code(_VOID_COLOR): VOID}
    for name, colors in GROUPS.items():
        table.update({_code(color): names.index(name) for color in colors})
    return table


def _code(color: tuple[int, int, int]) -> int:
    return color[0] << 16 | color[1] << 8 | color[2]


def _status(path: pathlib.Path) -> os.stat_result:
    try:
        return path.stat()
    except OSError as error:  # a link to nothing, for one
        raise InputError(f"{path}: cannot be read: {error.strerror}.") from None


def _files(folder: pathlib.Path, suffixes: tuple[str, ...]) -> dict[str, pathlib.Path]:
    """Pictures of a folder by stem."""
    if not folder.is_dir():
        return {}
    files: dict[str, pathlib.Path] = {}
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        raise InputError(f"{folder}: cannot be read: {error.strerror}.") from None
    for path in paths:
        if path.suffix.lower() in suffixes and not path.name.startswith("."):
            if path.stem in files:
                raise InputError(
                    f"{path}: there is also {files[path.stem].name}; one image a name."
                )
            files[path.stem] = path
    return files


def _pairs(folder: pathlib.Path, labels: pathlib.Path, ending: str) -> list[Pair]:
    """Pairs images with the labels named after them, both without exception."""
    image_files = _files(folder, _IMAGE_SUFFIXES)
    label_files = _files(labels, (".png",))
    for name, path in image_files.items():
        if name + ending not in label_files:
            raise InputError(
                f"{path}: image without label; expected {labels / (name + ending)}.png."
            )
    for stem, path in label_files.items():
        if not stem.endswith(ending) or stem.removesuffix(ending) not in image_files:
            raise InputError(
                f"{path}: label without image in {folder}; bring that or remove this."
            )
    if not image_files:
        raise InputError(
            f"{folder}: no images (.png, .jpg) in this folder; fill it or remove it."
        )
    return [
        Pair(name, path, label_files[name + ending])
        for name, path in image_files.items()
    ]
