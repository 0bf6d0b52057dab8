"""LabelMe: a JSON file beside each image."""

import base64
import binascii
import io
import math
import pathlib

import numpy as np
from PIL import Image

from lgcnet_tf.data.importers.annotation import (
    FORM_ERRORS,
    AnnotatedImage,
    Annotations,
    box_mask,
    find_image,
    json_files,
    malformed,
    placed_mask,
    polygon_mask,
    read_object,
)
from lgcnet_tf.errors import InputError

_CIRCLE = 64


def read_labelme(path: pathlib.Path, images: pathlib.Path | None) -> Annotations:
    """Reads a file or a folder of them; classes are in alphabetical order.

    An image is looked for where `imagePath` says and in `images`; else it is taken
    out of `imageData`.

    Raises:
        InputError: there are no such files.
    """
    labels: set[str] = set()
    found = []
    for file in json_files(path):
        config = read_object(file, "shapes", "imagePath")
        try:
            labels |= {str(shape["label"]) for shape in config["shapes"]}
            image = find_image(str(config["imagePath"]), file.parent, images)
            if image is None and config.get("imageData"):
                image = base64.b64decode(config["imageData"], validate=True)
        except (*FORM_ERRORS, binascii.Error) as error:
            raise malformed(str(file), error) from None
        base = path if path.is_dir() else file.parent
        name = file.relative_to(base).with_suffix("").as_posix()
        found.append(AnnotatedImage(name, image, str(file), _regions(file)))
    return Annotations(dict.fromkeys(sorted(labels)), found)


def _regions(file):
    def regions():
        config = read_object(file, "shapes", "imageHeight", "imageWidth")
        for number, shape in enumerate(config["shapes"]):
            where = f"{file}: shape {number}"
            try:
                size = int(config["imageHeight"]), int(config["imageWidth"])
                yield str(shape["label"]), _mask(shape, size, where)
            except FORM_ERRORS as error:
                raise malformed(where, error) from None

    return regions


def _mask(shape, size, where) -> np.ndarray:
    kind, points = shape.get("shape_type") or "polygon", shape["points"]
    if kind == "polygon":
        return polygon_mask(size, points)
    if kind == "rectangle":
        (left, top), (right, bottom) = points
        return box_mask(size, left, top, right, bottom)
    if kind == "circle":
        (x, y), edge = points
        radius = math.dist((x, y), edge)
        turns = np.linspace(0, 2 * np.pi, _CIRCLE, endpoint=False)
        return polygon_mask(
            size, zip(x + radius * np.cos(turns), y + radius * np.sin(turns))
        )
    if kind == "mask":
        data = base64.b64decode(shape["mask"], validate=True)
        with Image.open(io.BytesIO(data)) as picture:
            part = np.asarray(picture).astype(bool)
        left, top = (round(float(part)) for part in points[0])
        return placed_mask(size, part, left, top)
    raise InputError(f"{where}: a {kind}, which has no area; make it a polygon.")
