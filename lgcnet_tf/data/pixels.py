"""What the pixels of a picture mean, one rule for each of Pillow's modes.

The table is the only one: training, evaluation and the client decode by it, and
`serving/decode_graph.py` gives the same values with graph operations.

| mode | in the file | as a picture | as a label |
|---|---|---|---|
| 1 | PNG, 1-bit gray | v · 255 | v |
| L | PNG, 2-, 4-, 8-bit gray | v · 85, v · 17, v | v |
| L | JPEG, gray | v | refused: lossy |
| I;16, I | PNG, 16-bit gray | round(v / 257) | v, refused above 255 |
| LA | PNG, 8-bit gray with alpha | gray, alpha left out | refused |
| P | PNG, palette, with or without transparency | the palette's colour | v |
| RGB, RGBA | PNG, 8-bit | v, alpha left out | refused |
| RGB, RGBA | PNG, 16-bit, also gray with alpha | round(v / 257) | refused |
| RGB | JPEG, YCbCr or RGB | as libjpeg converts it | refused |
| CMYK | JPEG, CMYK or YCCK | (255 - c) (255 - k) // 255 | refused |

Other modes, such as F, are in no PNG or JPEG file and are refused. No gamma
or colour profile is applied.
"""

import io
from collections.abc import Callable

import numpy as np
from PIL import Image

from lgcnet_tf.data.orientation import PNG_SIGNATURE

Rule = Callable[[Image.Image, bytes], np.ndarray]
"""What makes pixels of an image that Pillow has decoded, and of its file's bytes."""

# Of 16 bits a sample Pillow keeps the upper byte. How it unpacks them, and how
# it has to for the lower byte.
_LOWER_BYTE = {"RGB;16B": "RGB;16L", "RGBA;16B": "RGBA;16L"}


def eight_bits(values: np.ndarray) -> np.ndarray:
    """round(v / 257): 0 to 65535 becomes uint8, with 0 and 255 at the ends."""
    return ((values.astype(np.int32) + 128) // 257).astype(np.uint8)


def _bit_depth(data: bytes) -> int:
    """Bits of a sample or of a palette's index; 8 for a JPEG file."""
    return data[24] if data.startswith(PNG_SIGNATURE) else 8


def _gray(values: np.ndarray) -> np.ndarray:
    return np.repeat(values[..., None], 3, axis=-1)


def _one_bit_gray(image: Image.Image, data: bytes) -> np.ndarray:
    return _gray(np.asarray(image).astype(np.uint8) * np.uint8(255))


def _eight_bit_gray(image: Image.Image, data: bytes) -> np.ndarray:
    return _gray(np.asarray(image))


def _sixteen_bit_gray(image: Image.Image, data: bytes) -> np.ndarray:
    return _gray(eight_bits(np.asarray(image)))


def _gray_with_alpha(image: Image.Image, data: bytes) -> np.ndarray:
    return _gray(np.asarray(image)[..., 0])


def _palette_colors(image: Image.Image, data: bytes) -> np.ndarray:
    colors = np.zeros((256, 3), np.uint8)  # an index without a colour is black
    given = np.array(image.getpalette("RGB"), np.uint8).reshape(-1, 3)
    colors[: len(given)] = given
    return colors[np.asarray(image)]


def _colors(image: Image.Image, data: bytes) -> np.ndarray:
    rgb = np.array(np.asarray(image)[..., :3])
    return eight_bits(_sixteen_bit_colors(rgb, data)) if _bit_depth(data) == 16 else rgb


def _sixteen_bit_colors(upper: np.ndarray, data: bytes) -> np.ndarray:
    """int32 `(height, width, 3)`; `upper` has the upper bytes."""
    image = Image.open(io.BytesIO(data))
    tile = image.tile[0]
    if tile.args == "LA;16B":  # its four bytes, taken for four bands
        image.tile = [tile._replace(args="RGBA")]
        both = np.asarray(image).astype(np.int32)
        return _gray(both[..., 0] << 8 | both[..., 1])
    image.tile = [tile._replace(args=_LOWER_BYTE[tile.args])]
    return upper.astype(np.int32) << 8 | np.asarray(image)[..., :3]


def _cmyk_colors(image: Image.Image, data: bytes) -> np.ndarray:
    inks = np.asarray(image).astype(np.int32)
    if (
        "adobe" not in image.info
    ):  # only Adobe's are stored inverted; Pillow inverts all
        inks = 255 - inks
    return ((255 - inks[..., :3]) * (255 - inks[..., 3:]) // 255).astype(np.uint8)


PICTURE_RULES: dict[str, Rule] = {
    "1": _one_bit_gray,
    "L": _eight_bit_gray,
    "I;16": _sixteen_bit_gray,
    "I": _sixteen_bit_gray,  # what earlier Pillows call I;16
    "LA": _gray_with_alpha,
    "P": _palette_colors,
    "RGB": _colors,
    "RGBA": _colors,
    "CMYK": _cmyk_colors,
}
"""Mode to what makes uint8 RGB `(height, width, 3)`."""


def _stored(image: Image.Image, data: bytes) -> np.ndarray:
    return np.asarray(image)


def _unspread(image: Image.Image, data: bytes) -> np.ndarray:
    return np.asarray(image) // np.uint8(255 // (2 ** _bit_depth(data) - 1))


LABEL_RULES: dict[str, Rule] = {
    "1": _stored,
    "L": _unspread,  # Pillow spreads 2 and 4 bits over 0 to 255
    "I;16": _stored,
    "I": _stored,
    "P": _stored,
}
"""Mode to what makes the integers `(height, width)` that a label's file has."""
