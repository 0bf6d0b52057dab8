"""Pascal VOC segmentation: JPEGImages, SegmentationClass and ImageSets."""

import pathlib
import re

import numpy as np

from lgcnet_tf.data.folder.classes import MaskClasses, parse_json
from lgcnet_tf.data.folder.masks import MaskDecoder
from lgcnet_tf.data.images import read_bytes
from lgcnet_tf.data.importers.annotation import (
    VOID_LABEL,
    AnnotatedImage,
    Annotations,
    Color,
    find_image,
)
from lgcnet_tf.data.info import VOID
from lgcnet_tf.errors import InputError

CLASSES = (
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat",
    "chair", "cow", "diningtable", "dog", "horse", "motorbike", "person", "pottedplant",
    "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip
BORDER = (224, 224, 192)
"""VOC's colour of the borders between objects, which are void."""

_LABELMAP = re.compile(r"(?P<name>[^:#]+):(?P<color>\d+,\d+,\d+)(:.*)?")


def voc_colors(count: int) -> list[Color]:
    """VOC's colours: the bits of an index, spread over red, green and blue."""
    colors = []
    for index in range(count):
        color, rest = [0, 0, 0], index
        for bit in range(8):
            for channel in range(3):
                color[channel] |= (rest >> channel & 1) << (7 - bit)
            rest >>= 3
        colors.append((color[0], color[1], color[2]))
    return colors


def read_voc(
    path: pathlib.Path, images: pathlib.Path | None, split: str
) -> Annotations:
    """Reads the split of a VOC folder, by its list in ImageSets/Segmentation.

    Classes and colours are those of `labelmap.txt`, as CVAT and others write it, or
    VOC's own.

    Raises:
        InputError: it is no such folder, or has no such split.
    """
    masks = path / "SegmentationClass"
    if not masks.is_dir():
        raise InputError(
            f"{path}: no VOC folder; SegmentationClass/ is absent: name the one that has it."
        )
    listed = path / "ImageSets" / "Segmentation" / f"{split}.txt"
    if listed.is_file():
        names = [
            line.split()[0] for line in listed.read_text().splitlines() if line.strip()
        ]
    elif listed.parent.is_dir():
        there = ", ".join(sorted(p.stem for p in listed.parent.glob("*.txt")))
        raise InputError(f"{listed}: no such list. There are: {there or 'none'}.")
    else:
        names = sorted(p.stem for p in masks.glob("*.png") if p.name[0] != ".")
    classes = _classes(path)
    decoder = MaskDecoder(classes)
    labels = {
        name: tuple(int(part) for part in color)
        for name, color in zip(classes.info.class_names, classes.info.palette)
    }
    folders = (images, path / "JPEGImages")
    found = [_image(name, masks, folders, decoder) for name in names]
    return Annotations(labels, found)


def _image(name, masks, folders, decoder) -> AnnotatedImage:
    mask = masks / f"{name}.png"
    files = (find_image(f"{name}{s}", *folders) for s in (".jpg", ".jpeg", ".png"))

    def regions():
        label = decoder.decode(read_bytes(mask), str(mask))
        names = decoder.classes.info.class_names
        for value in np.unique(label):
            yield VOID_LABEL if value == VOID else names[value], label == value

    source = next((file for file in files if file), None)
    return AnnotatedImage(name, source, str(mask), regions)


def _classes(path) -> MaskClasses:
    file = path / "labelmap.txt"
    if not file.is_file():
        listed = zip(CLASSES, voc_colors(len(CLASSES)))
    else:
        lines = [line.strip() for line in file.read_text().splitlines()]
        matches = [
            (line, _LABELMAP.fullmatch(line))
            for line in lines
            if line and line[0] != "#"
        ]
        if wrong := [line for line, match in matches if match is None]:
            raise InputError(
                f"{file}: a line must be NAME:R,G,B::. Received: {wrong[0]!r}"
            )
        listed = [(m["name"], [*map(int, m["color"].split(","))]) for _, m in matches]
    config = [{"name": name, "color": list(color)} for name, color in listed]
    return parse_json({"classes": config, "void_colors": [list(BORDER)]}, file)
