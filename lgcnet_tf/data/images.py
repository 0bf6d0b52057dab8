"""Reading pictures and label maps, with errors that name the file.

Whatever decodes a picture goes through here: readers of data sets, training,
evaluation, calibration and the client. What is served decodes by the same rules
in `serving/decode_graph.py`.
"""

import io
import os
import pathlib

import numpy as np
from PIL import Image, UnidentifiedImageError

from lgcnet_tf.data.info import VOID, DatasetInfo
from lgcnet_tf.data.orientation import PNG_SIGNATURE, orientation, upright
from lgcnet_tf.data.pixels import LABEL_RULES, PICTURE_RULES
from lgcnet_tf.errors import InputError

FORMATS = ("PNG", "JPEG")


def read_bytes(path: str | os.PathLike) -> bytes:
    """A file's content.

    Raises:
        InputError: it is absent, a link to nothing, or cannot be read.
    """
    try:
        return pathlib.Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}.") from None


def _open(data: bytes, where: str) -> Image.Image:
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
        image.load()
    # Pillow reports damaged files as OSError, SyntaxError, ValueError,
    # struct.error or EOFError, depending on the format and on where they break.
    except UnidentifiedImageError:  # its text names the buffer, not the file
        raise InputError(f"{where}: {_other_format(data)}") from None
    except Exception as error:  # pylint: disable=broad-exception-caught
        raise InputError(f"{where}: truncated or damaged picture ({error}).") from None
    return image


def _other_format(data: bytes) -> str:
    """What to say of bytes that are neither PNG nor JPEG."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            kind = image.format
    except Exception:  # pylint: disable=broad-exception-caught
        kind = None
    if kind in (None, *FORMATS):
        return "truncated or not a PNG or JPEG picture."
    return f"a {kind} picture; only PNG and JPEG are read."


def decode_image(data: bytes, where: str) -> np.ndarray:
    """Decodes PNG or JPEG bytes to uint8 RGB `(height, width, 3)`, upright.

    The picture is turned by its EXIF orientation; `pixels.py` has what each kind
    of pixel becomes.

    Args:
        data: the encoded picture.
        where: what to call it in an error, usually its path.

    Raises:
        InputError: the bytes are damaged or no such picture.
    """
    image = _open(data, where)
    rule = PICTURE_RULES.get(image.mode)
    if rule is None:
        raise InputError(
            f"{where}: pixels of mode {image.mode} have no known colours. Expected "
            f"one of {', '.join(PICTURE_RULES)}."
        )
    return upright(rule(image, data), orientation(data))


def decode_label(data: bytes, where: str) -> np.ndarray:
    """Decodes a label map of one index a pixel to uint8 `(height, width)`, upright.

    Its values are those in the file: gray of 1, 2 or 4 bits is not spread over
    0 to 255, gray of 16 bits not brought to 8. An EXIF orientation turns it.

    Raises:
        InputError: the bytes are damaged or no PNG, the picture has colours or
            alpha, or a value above 255.
    """
    image = _open(data, where)
    rule = LABEL_RULES.get(image.mode)
    if rule is None:
        raise InputError(
            f"{where}: a label map must be a gray or palette picture with one class "
            f"index a pixel. Received: mode {image.mode}."
        )
    if not data.startswith(PNG_SIGNATURE):
        raise InputError(
            f"{where}: a {image.format} picture; a label map must be a PNG, as lossy "
            "compression changes its class indices."
        )
    values = rule(image, data)
    if values.max(initial=0) > 255:
        large = np.unique(values[values > 255])
        named = ", ".join(map(str, large[:3])) + (", ..." if large.size > 3 else "")
        y, x = np.argwhere(values == large[0])[0]
        raise InputError(
            f"{where}: label values must be class indices of at most 255. Received: "
            f"{named}; {large[0]} at x={x}, y={y}."
        )
    return upright(values.astype(np.uint8), orientation(data))


def index_label(
    label: np.ndarray, info: DatasetInfo, void_values: tuple[int, ...], where: str
) -> np.ndarray:
    """Maps a file's void values to 255 and checks all others.

    Args:
        label: uint8 `(height, width)`.
        info: the classes.
        void_values: values that mean void in the file, next to 255.
        where: what to call the label in an error.

    Raises:
        InputError: a value is neither a class nor void.
    """
    table = np.full(256, -1, np.int16)
    table[: info.num_classes] = np.arange(info.num_classes)
    table[[*void_values, VOID]] = VOID
    mapped = table[label]
    if mapped.min(initial=0) < 0:
        value = int(label[mapped < 0][0])
        void = ", ".join(map(str, (*void_values, VOID)))
        raise InputError(
            f"{where}: label value {value} is outside the classes "
            f"0-{info.num_classes - 1} of {info.name} (void: {void})."
        )
    return mapped.astype(np.uint8)


def check_sizes(
    image: np.ndarray, label: np.ndarray, image_where: str, label_where: str
) -> None:
    """Raises InputError when a label has another size than its image."""
    if image.shape[:2] != label.shape[:2]:
        raise InputError(
            f"{label_where}: the label is {label.shape[1]}x{label.shape[0]} but "
            f"its image {image_where} is {image.shape[1]}x{image.shape[0]}; both must be of one "
            "size."
        )
