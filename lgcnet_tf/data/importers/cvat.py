"""CVAT for images 1.1: one XML file with polygons, boxes and masks."""

import pathlib
import xml.etree.ElementTree as ElementTree

import numpy as np

from lgcnet_tf.data.importers.annotation import (
    FORM_ERRORS,
    AnnotatedImage,
    Annotations,
    box_mask,
    find_image,
    malformed,
    placed_mask,
    polygon_mask,
)
from lgcnet_tf.errors import InputError


def read_cvat(path: pathlib.Path, images: pathlib.Path | None) -> Annotations:
    """Reads an `annotations.xml`; classes and colours are those of the task.

    Raises:
        InputError: it is no such file.
    """
    try:
        root = ElementTree.parse(path).getroot()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}.") from None
    except ElementTree.ParseError as error:
        raise InputError(
            f"{path}: not an XML file: {error}; export as 'CVAT for images 1.1'."
        ) from None
    if root.tag != "annotations" or root.find("track") is not None:
        raise InputError(
            f"{path}: not CVAT's format for images (annotations with image elements); "
            "export as 'CVAT for images 1.1'."
        )
    labels = {}
    for label in root.iter("label"):
        if name := label.findtext("name"):
            labels[name] = _color(label.findtext("color"))
    for shape in root.iterfind("image/*"):
        if shape.get("label") is not None:
            labels.setdefault(shape.get("label"), None)
    found = [_image(path, images, element) for element in root.iterfind("image")]
    return Annotations(labels, found)


def _image(path, images, element) -> AnnotatedImage:
    file = element.get("name") or ""
    where = f"{path}: {file or 'an image without a name'}"

    def regions():
        try:
            size = int(element.attrib["height"]), int(element.attrib["width"])
            shapes = [e for e in element if e.tag not in ("tag",)]
            for shape in sorted(shapes, key=lambda e: int(e.get("z_order", 0))):
                yield shape.attrib["label"], _mask(shape, size, where)
        except FORM_ERRORS as error:
            raise malformed(where, error) from None

    name = str(pathlib.PurePosixPath(file).with_suffix("")) if file else ""
    source = find_image(file, images, path.parent, path.parent / "images")
    return AnnotatedImage(name, source, where, regions)


def _mask(shape, size, where) -> np.ndarray:
    get = shape.attrib
    if shape.tag == "polygon":
        points = [point.split(",") for point in get["points"].split(";")]
        return polygon_mask(size, points)
    if shape.tag == "box":
        corners = (float(get[name]) for name in ("xtl", "ytl", "xbr", "ybr"))
        return box_mask(size, *corners)
    if shape.tag == "mask":
        runs = [int(run) for run in get["rle"].split(",")]
        part = int(get["height"]), int(get["width"])
        if min(runs) < 0 or sum(runs) != part[0] * part[1]:
            raise ValueError("run lengths do not fill the mask's box")
        values = np.arange(len(runs)) % 2 == 1  # the first run is of background
        mask = np.repeat(values, runs).reshape(part)
        return placed_mask(size, mask, int(get["left"]), int(get["top"]))
    raise InputError(f"{where}: a {shape.tag}, which has no area; make it a polygon.")


def _color(text):
    if not text or len(text) != 7 or not text.startswith("#"):
        return None
    try:
        return tuple(int(text[i : i + 2], 16) for i in (1, 3, 5))
    except ValueError:
        return None
