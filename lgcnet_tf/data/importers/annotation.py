"""What every reader of annotations gives: images with regions that have labels."""

import dataclasses
import pathlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from lgcnet_tf.errors import InputError
from lgcnet_tf.files import read_json

Size = tuple[int, int]
Color = tuple[int, int, int]
Region = tuple[str | None, np.ndarray]
"""A label, None for void, and the pixels that have it, bool (height, width)."""

VOID_LABEL = None


@dataclasses.dataclass(frozen=True)
class AnnotatedImage:
    """An image and how to draw its regions.

    Attributes:
        name: path of the image without suffix, unique in an import.
        source: its file, or the bytes of one; or None where it was not found.
        where: the annotation, for errors.
        regions: gives the regions, later ones over earlier ones; raises
            InputError where the annotation cannot be read.
    """

    name: str
    source: pathlib.Path | bytes | None
    where: str
    regions: Callable[[], Iterable[Region]]


@dataclasses.dataclass(frozen=True)
class Annotations:
    """What a reader found.

    Attributes:
        labels: all labels in the order of their classes, with a colour where the
            annotations have one.
        images: the images.
    """

    labels: Mapping[str, Color | None]
    images: Sequence[AnnotatedImage]


def polygon_mask(
    size: Size,
    outline: Iterable[Sequence[float]],
    holes: Iterable[Iterable[Sequence[float]]] = (),
) -> np.ndarray:
    """The pixels inside of a polygon, bool (height, width).

    Args:
        size: (height, width).
        outline: (x, y) of its corners, in pixels.
        holes: outlines of what is cut out of it.

    Raises:
        ValueError: fewer than three corners, or a corner that is no pair of numbers.
    """
    canvas = Image.new("1", (size[1], size[0]))
    for value, ring in [(1, outline), *((0, hole) for hole in holes)]:
        points = [(float(x), float(y)) for x, y in ring]
        if len(points) < 3:
            raise ValueError(f"a polygon of {len(points)} points")
        ImageDraw.Draw(canvas).polygon(points, fill=value)
    return np.array(canvas)


def box_mask(
    size: Size, left: float, top: float, right: float, bottom: float
) -> np.ndarray:
    """The pixels inside of a box, bool (height, width)."""
    mask = np.zeros(size, bool)
    left, right = sorted((round(float(left)), round(float(right))))
    top, bottom = sorted((round(float(top)), round(float(bottom))))
    mask[max(0, top) : bottom, max(0, left) : right] = True
    return mask


def placed_mask(size: Size, part: np.ndarray, left: int, top: int) -> np.ndarray:
    """A mask that covers a part of the image, put in its place, bool (height, width).

    Raises:
        ValueError: it does not lie in the image.
    """
    height, width = part.shape
    if min(left, top) < 0 or top + height > size[0] or left + width > size[1]:
        raise ValueError(
            f"a mask of {width}x{height} at x={left}, y={top} lies outside"
        )
    mask = np.zeros(size, bool)
    mask[top : top + height, left : left + width] = part
    return mask


def find_image(name: str, *folders: pathlib.Path | None) -> pathlib.Path | None:
    """The first file of that name, or of its last part, in one of the folders."""
    tail = pathlib.PurePosixPath(name.replace("\\", "/"))
    for folder in filter(None, folders):
        for path in (folder / tail, folder / tail.name):
            if path.is_file():
                return path
    return None


def json_files(path: pathlib.Path) -> list[pathlib.Path]:
    """A JSON file, or those of a folder and below, by name.

    Raises:
        InputError: there is none.
    """
    if path.is_file():
        return [path]
    files = [p for p in sorted(path.rglob("*.json")) if not p.name.startswith(".")]
    if not files:
        raise InputError(f"{path}: no JSON files there; name the folder that has them.")
    return files


def read_object(path: pathlib.Path, *keys: str) -> dict[str, Any]:
    """Reads a JSON file that must be an object with these keys.

    Raises:
        InputError: it is not.
    """
    config = read_json(path)
    if not isinstance(config, dict) or any(key not in config for key in keys):
        raise InputError(f"{path}: must be an object with {', '.join(keys)}.")
    return config


def malformed(where: str, error: Exception) -> InputError:
    """The one line for an annotation that does not have the form of its format."""
    if isinstance(error, InputError):
        return error
    reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
    return InputError(
        f"{where}: malformed annotation: {reason or type(error).__name__}."
    )


FORM_ERRORS = (KeyError, TypeError, ValueError, IndexError, AttributeError)
"""What reading an annotation of another form raises."""
