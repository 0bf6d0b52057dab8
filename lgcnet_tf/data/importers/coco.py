"""COCO: one JSON file with polygons and run lengths, decoded by pycocotools."""

import collections
import pathlib

import numpy as np

from lgcnet_tf.data.importers.annotation import (
    FORM_ERRORS,
    AnnotatedImage,
    Annotations,
    find_image,
    malformed,
    read_object,
)
from lgcnet_tf.errors import InputError


def read_coco(path: pathlib.Path, images: pathlib.Path | None) -> Annotations:
    """Reads an `instances_*.json`; classes are in the order of category ids.

    Of overlapping regions the smaller one is on top, as COCO has no order.

    Raises:
        InputError: it is no such file, or pycocotools is not installed.
    """
    try:
        import pycocotools.mask  # noqa: F401 - said before anything is read
    except ImportError:
        raise InputError(
            "--format=coco needs pycocotools: pip install pycocotools."
        ) from None
    config = read_object(path, "images", "annotations", "categories")
    try:
        categories = {c["id"]: str(c["name"]) for c in config["categories"]}
        by_image = collections.defaultdict(list)
        for annotation in config["annotations"]:
            by_image[annotation["image_id"]].append(annotation)
        found = [
            _image(path, images, image, by_image[image["id"]], categories)
            for image in config["images"]
        ]
    except FORM_ERRORS as error:
        raise malformed(str(path), error) from None
    return Annotations(dict.fromkeys(categories[i] for i in sorted(categories)), found)


def _image(path, images, image, annotations, categories) -> AnnotatedImage:
    file = str(image["file_name"])
    size = int(image["height"]), int(image["width"])
    where = f"{path}: {file}"

    def regions():
        drawn = []
        for annotation in annotations:
            one = f"{where}, annotation {annotation.get('id')}"
            if annotation["category_id"] not in categories:
                raise InputError(
                    f"{one}: no category has the id {annotation['category_id']}; name it "
                    "among the categories."
                )
            label = categories[annotation["category_id"]]
            drawn.append((label, _mask(annotation.get("segmentation"), size, one)))
        return sorted(drawn, key=lambda region: -int(region[1].sum()))

    name = str(pathlib.PurePosixPath(file).with_suffix(""))
    return AnnotatedImage(name, find_image(file, images, path.parent), where, regions)


def _mask(segmentation, size, where) -> np.ndarray:
    from pycocotools import mask as coco_mask  # pylint: disable=import-outside-toplevel

    if not segmentation:
        raise InputError(
            f"{where}: has no segmentation, perhaps a box alone; it needs "
            "polygons or run lengths."
        )
    try:
        if isinstance(segmentation, dict):
            runs = segmentation
            if tuple(runs["size"]) != size:
                raise ValueError(f"run lengths of size {runs['size']}, image {[*size]}")
            if isinstance(runs["counts"], list):
                if sum(runs["counts"]) != size[0] * size[1]:
                    raise ValueError("run lengths do not fill the image")
                runs = coco_mask.frPyObjects(runs, *size)
        else:
            if any(len(ring) < 6 or len(ring) % 2 for ring in segmentation):
                raise ValueError("a polygon of fewer than three points")
            runs = coco_mask.merge(coco_mask.frPyObjects(segmentation, *size))
        return coco_mask.decode(runs).astype(bool)
    except Exception as error:  # pycocotools raises many kinds
        raise malformed(where, error) from None
