"""Supervisely: meta.json and, for each data set, img/ and ann/."""

import base64
import io
import pathlib
import zlib

import numpy as np
from PIL import Image

from lgcnet_tf.data.importers.annotation import (
    FORM_ERRORS,
    AnnotatedImage,
    Annotations,
    box_mask,
    find_image,
    malformed,
    placed_mask,
    polygon_mask,
    read_object,
)
from lgcnet_tf.errors import InputError

_LARGEST = 64 * 1024**2


def read_supervisely(path: pathlib.Path, images: pathlib.Path | None) -> Annotations:
    """Reads a project's folder; classes and colours are those of `meta.json`.

    Raises:
        InputError: it is no such folder.
    """
    meta = read_object(path / "meta.json", "classes")
    try:
        labels = {
            str(c["title"]): tuple(bytes.fromhex(c["color"].lstrip("#")))
            for c in meta["classes"]
        }
        if any(len(color) != 3 for color in labels.values()):
            raise ValueError("a colour that is no #rrggbb")
    except FORM_ERRORS as error:
        raise malformed(str(path / "meta.json"), error) from None
    folders = sorted(found.parent for found in path.rglob("ann") if found.is_dir())
    if not folders:
        raise InputError(
            f"{path}: no Supervisely project; no folder ann/ in it: name the one that has it."
        )
    found = []
    for folder in folders:
        prefix = folder.relative_to(path).as_posix()
        for file in sorted((folder / "ann").glob("*.json")):
            if not file.name.startswith("."):
                image = find_image(file.stem, folder / "img", images)
                name = pathlib.PurePosixPath(prefix, pathlib.Path(file.stem).stem)
                found.append(
                    AnnotatedImage(str(name), image, str(file), _regions(file))
                )
    return Annotations(labels, found)


def _regions(file):
    def regions():
        config = read_object(file, "size", "objects")
        try:
            size = int(config["size"]["height"]), int(config["size"]["width"])
            for one in config["objects"]:
                yield str(one["classTitle"]), _mask(one, size, str(file))
        except FORM_ERRORS as error:
            raise malformed(str(file), error) from None

    return regions


def _mask(one, size, where) -> np.ndarray:
    kind = one["geometryType"]
    if kind == "polygon":
        return polygon_mask(
            size, one["points"]["exterior"], one["points"].get("interior", ())
        )
    if kind == "rectangle":
        (left, top), (right, bottom) = one["points"]["exterior"]
        return box_mask(size, left, top, right, bottom)
    if kind == "bitmap":
        packed = base64.b64decode(one["bitmap"]["data"], validate=True)
        try:
            data = zlib.decompressobj().decompress(packed, _LARGEST)
            with Image.open(io.BytesIO(data)) as picture:
                part = np.asarray(picture.convert("RGBA"))
        except (zlib.error, OSError) as error:
            raise ValueError(f"a bitmap that cannot be decoded ({error})") from None
        left, top = (int(side) for side in one["bitmap"]["origin"])
        lit = (part[..., 3] > 0) & (part[..., :3].max(-1) > 0)
        return placed_mask(size, lit, left, top)
    raise InputError(f"{where}: a {kind}, which has no area; make it a polygon.")
