"""The EXIF orientation of a PNG or JPEG file, and pictures turned by it.

Cameras store pixels as the sensor lies and note in tag 0x0112 of the EXIF block
(TIFF 6.0, `Orientation`) how to turn them. `serving/decode_graph.py` reads the
same bytes by the same rules with graph operations.
"""

import numpy as np

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
JPEG_SIGNATURE = b"\xff\xd8\xff"
EXIF_HEADER = b"Exif\0\0"
ORIENTATION_TAG = 0x0112
SHORT, LONG = 3, 4

# How the stored pixels become upright: first rows and columns change places,
# then columns and rows are put in the reverse order.
TRANSPOSED = (5, 6, 7, 8)
COLUMNS_REVERSED = (2, 3, 6, 7)
ROWS_REVERSED = (3, 4, 7, 8)


def orientation(data: bytes) -> int:
    """The orientation that a file names, 1 to 8.

    It is taken from the first EXIF block, a JPEG's APP1 segment or a PNG's
    `eXIf` chunk. A file without one, or with a damaged one or another value,
    has orientation 1: as it is stored.
    """
    if data.startswith(JPEG_SIGNATURE):
        return _tiff_orientation(_jpeg_exif(data))
    if data.startswith(PNG_SIGNATURE):
        return _tiff_orientation(_png_exif(data))
    return 1


def upright(pixels: np.ndarray, turn: int) -> np.ndarray:
    """Turns stored pixels `(height, width, ...)` of orientation `turn` upright.

    Orientations 5 to 8 exchange height and width.
    """
    if turn in TRANSPOSED:
        pixels = pixels.swapaxes(0, 1)
    if turn in COLUMNS_REVERSED:
        pixels = pixels[:, ::-1]
    if turn in ROWS_REVERSED:
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def _jpeg_exif(data: bytes) -> bytes:
    """The TIFF bytes of the first EXIF segment before the pixels, or none."""
    place = 2
    while place + 4 <= len(data) and data[place] == 0xFF:
        marker = data[place + 1]
        if marker == 0xFF:  # a fill byte
            place += 1
            continue
        length = int.from_bytes(data[place + 2 : place + 4], "big")
        if marker in (0xD9, 0xDA) or length < 2:  # end of image, start of scan
            break
        end = place + 2 + length
        if marker == 0xE1 and data[place + 4 : end].startswith(EXIF_HEADER):
            return data[place + 4 + len(EXIF_HEADER) : end]
        place = end
    return b""


def _png_exif(data: bytes) -> bytes:
    """The TIFF bytes of the first `eXIf` chunk, or none."""
    place = len(PNG_SIGNATURE)
    while place + 12 <= len(data):
        length = int.from_bytes(data[place : place + 4], "big")
        if data[place + 4 : place + 8] == b"eXIf":
            return data[place + 8 : place + 8 + length]
        place += 12 + length
    return b""


def _tiff_orientation(tiff: bytes) -> int:
    order = {b"II": "little", b"MM": "big"}.get(tiff[:2])
    if order is None or len(tiff) < 8:
        return 1

    def number(place: int, size: int) -> int:
        return int.from_bytes(tiff[place : place + size], order)

    if number(2, 2) != 42:
        return 1
    directory = number(4, 4)
    entries = min(number(directory, 2), (len(tiff) - directory - 2) // 12)
    for place in range(directory + 2, directory + 2 + 12 * entries, 12):
        if number(place, 2) == ORIENTATION_TAG:
            sizes = {SHORT: 2, LONG: 4}
            size = sizes.get(number(place + 2, 2))
            value = number(place + 8, size) if size else 1
            return value if 1 <= value <= 8 and number(place + 4, 4) == 1 else 1
    return 1
