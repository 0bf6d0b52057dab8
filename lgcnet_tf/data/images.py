"""Reading pictures and label maps, with errors that name the file."""

import io

import numpy as np
from PIL import Image, UnidentifiedImageError

from lgcnet_tf.data.info import VOID, DatasetInfo
from lgcnet_tf.errors import InputError


def _open(data: bytes, where: str) -> Image.Image:
    try:
        image = Image.open(io.BytesIO(data))
        image.load()
    # Pillow reports damaged files as OSError, SyntaxError, ValueError,
    # struct.error or EOFError, depending on the format and on where they break.
    except UnidentifiedImageError:  # its text names the buffer, not the file
        raise InputError(f"{where}: truncated or not a PNG or JPEG picture.") from None
    except Exception as error:  # pylint: disable=broad-exception-caught
        raise InputError(
            f"{where}: truncated or damaged picture ({error})."
        ) from None
    return image


def decode_image(data: bytes, where: str) -> np.ndarray:
    """Decodes PNG or JPEG bytes to uint8 RGB `(height, width, 3)`.

    Args:
        data: the encoded picture.
        where: what to call it in an error, usually its path.

    Raises:
        InputError: the bytes are damaged or no picture.
    """
    return np.array(_open(data, where).convert("RGB"))


def decode_label(data: bytes, where: str) -> np.ndarray:
    """Decodes a label map of one index a pixel to uint8 `(height, width)`.

    Raises:
        InputError: the bytes are damaged, or the picture has colours.
    """
    image = _open(data, where)
    if image.mode not in ("L", "P"):
        raise InputError(
            f"{where}: a label map must be an 8-bit picture with one class index "
            f"a pixel. Received: mode {image.mode}."
        )
    return np.array(image)


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
            f"its image {image_where} is {image.shape[1]}x{image.shape[0]}."
        )
