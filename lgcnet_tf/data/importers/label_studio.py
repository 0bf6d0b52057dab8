"""Label Studio: its JSON export, with polygons, boxes and ellipses."""

import pathlib
import re
import urllib.parse

import numpy as np

from lgcnet_tf.data.importers.annotation import (
    FORM_ERRORS,
    AnnotatedImage,
    Annotations,
    box_mask,
    find_image,
    malformed,
    polygon_mask,
)
from lgcnet_tf.errors import InputError
from lgcnet_tf.files import read_json

_PREFIX = re.compile(r"^[0-9a-f]{6,8}-")  # that uploaded files get
_ELLIPSE = 64
_KINDS = ("polygonlabels", "rectanglelabels", "ellipselabels", "brushlabels")


def read_label_studio(path: pathlib.Path, images: pathlib.Path | None) -> Annotations:
    """Reads an export as JSON; classes are in alphabetical order.

    Images are looked for by name in `images` or beside the file, also without the
    prefix that uploading gave them.

    Raises:
        InputError: it is no such file.
    """
    tasks = read_json(path)
    if not isinstance(tasks, list) or not all(isinstance(t, dict) for t in tasks):
        raise InputError(f"{path}: not Label Studio's JSON export, a list of tasks.")
    labels: set[str] = set()
    found = []
    for number, task in enumerate(tasks):
        where = f"{path}: task {task.get('id', number)}"
        try:
            results = _results(task)
            labels |= {label for result in results for label in _labels(result)}
            file = _file_of(task)
        except FORM_ERRORS as error:
            raise malformed(where, error) from None
        source = find_image(file, images, path.parent)
        if source is None:
            source = find_image(_PREFIX.sub("", file), images, path.parent)
        name = str(pathlib.PurePosixPath(file).with_suffix(""))
        found.append(AnnotatedImage(name, source, where, _regions(results, where)))
    return Annotations(dict.fromkeys(sorted(labels)), found)


def _results(task):
    """Those of the last annotation that was not cancelled, the one that counts."""
    done = [a for a in task["annotations"] if not a.get("was_cancelled")]
    return [r for r in done[-1]["result"] if r.get("type") in _KINDS] if done else []


def _labels(result):
    return [str(label) for label in result["value"][result["type"]]]


def _file_of(task) -> str:
    texts = [value for value in task["data"].values() if isinstance(value, str)]
    url = urllib.parse.urlparse(texts[0])
    inner = urllib.parse.parse_qs(url.query).get("d", [url.path])[0]  # local files
    return pathlib.PurePosixPath(urllib.parse.unquote(inner)).name


def _regions(results, where):
    def regions():
        for result in results:
            try:
                size = int(result["original_height"]), int(result["original_width"])
                mask = _mask(result["type"], result["value"], size, where)
                for label in _labels(result)[:1]:
                    yield label, mask
            except FORM_ERRORS as error:
                raise malformed(where, error) from None

    return regions


def _mask(kind, value, size, where) -> np.ndarray:
    height, width = size[0] / 100.0, size[1] / 100.0  # from per cent
    if kind == "polygonlabels":
        return polygon_mask(size, [(x * width, y * height) for x, y in value["points"]])
    if value.get("rotation"):
        raise InputError(f"{where}: a region that is rotated; only polygons may be.")
    x, y = value.get("x", 0) * width, value.get("y", 0) * height
    if kind == "rectanglelabels":
        return box_mask(
            size, x, y, x + value["width"] * width, y + value["height"] * height
        )
    if kind == "ellipselabels":
        turns = np.linspace(0, 2 * np.pi, _ELLIPSE, endpoint=False)
        across = value["radiusX"] * width * np.cos(turns)
        down = value["radiusY"] * height * np.sin(turns)
        return polygon_mask(size, zip(x + across, y + down))
    raise InputError(
        f"{where}: a brush, which this JSON packs in a way of its own; export it as "
        "COCO, or as PNG masks."
    )
