"""What a PNG's or JPEG's header says, read before anything is decoded.

A few bytes may claim a picture of gigabytes, or have so many segments that walking
through them takes minutes. Whatever is neither PNG nor JPEG ends here too.
"""

import dataclasses

from lgcnet_tf.data.orientation import JPEG_SIGNATURE, PNG_SIGNATURE

MAX_SEGMENTS = 10_000
"""Segments of a JPEG before its scan, and chunks of a PNG: 80 MB of usual ones."""

_MAX_SCANS = 100  # of a progressive JPEG; usual ones have about ten
_TRUNCATED = "truncated or not a PNG or JPEG picture"
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_ALONE = frozenset({0x01, *range(0xD0, 0xD8)})  # markers without a length
_START_OF_SCAN, _END = 0xDA, 0xD9


@dataclasses.dataclass(frozen=True)
class PictureHeader:
    """Height and width of a picture as stored, and the bits of a channel."""

    height: int
    width: int
    bits: int

    @property
    def cost(self) -> int:
        """Its pixels; those of 16 bits count four times, as they are brought to 8."""
        return self.height * self.width * (4 if self.bits == 16 else 1)


def read_header(data: bytes) -> PictureHeader:
    """Reads the header of a PNG or JPEG file.

    Raises:
        ValueError: it is neither, ends too early, or has more segments or scans
            than any picture needs. The message says which.
    """
    if data.startswith(PNG_SIGNATURE):
        return _png(data)
    if data.startswith(JPEG_SIGNATURE):
        return _jpeg(data)
    raise ValueError(f"{_TRUNCATED}{_other_format(data)}")


def _png(data: bytes) -> PictureHeader:
    if len(data) < 33 or data[12:16] != b"IHDR":
        raise ValueError(_TRUNCATED)
    width = int.from_bytes(data[16:20], "big")
    height = int.from_bytes(data[20:24], "big")
    place, chunks = len(PNG_SIGNATURE), 0
    while place + 12 <= len(data):
        place += 12 + int.from_bytes(data[place : place + 4], "big")
        chunks += 1
        if chunks > MAX_SEGMENTS:
            raise ValueError(f"a PNG of more than {MAX_SEGMENTS} chunks")
    return _sized(height, width, data[24])


def _jpeg(data: bytes) -> PictureHeader:
    place, size = 2, None
    for _ in range(MAX_SEGMENTS):
        if place + 4 > len(data) or data[place] != 0xFF:
            raise ValueError(_TRUNCATED)
        marker = data[place + 1]
        if marker == 0xFF:  # a fill byte
            place += 1
            continue
        if marker in _ALONE:
            place += 2
            continue
        if marker == _START_OF_SCAN and size:
            break
        length = int.from_bytes(data[place + 2 : place + 4], "big")
        if marker in (0x00, _START_OF_SCAN, _END) or length < 2:
            raise ValueError(_TRUNCATED)
        if marker in _FRAMES:
            if size or place + 9 > len(data):
                raise ValueError(_TRUNCATED)
            size = (
                int.from_bytes(data[place + 5 : place + 7], "big"),
                int.from_bytes(data[place + 7 : place + 9], "big"),
            )
        place += 2 + length
    else:
        raise ValueError(f"a JPEG of more than {MAX_SEGMENTS} segments")
    if data.count(b"\xff\xda", place) > _MAX_SCANS:
        raise ValueError(f"a JPEG of more than {_MAX_SCANS} scans")
    return _sized(*size, 8)


def _sized(height: int, width: int, bits: int) -> PictureHeader:
    if not height or not width:
        raise ValueError(f"a picture of {width}x{height} pixels")
    return PictureHeader(height, width, bits)


def _other_format(data: bytes) -> str:
    """Says what the bytes are, from their first ones alone."""
    kinds = {
        "a GIF": data[:4] == b"GIF8",
        "a WebP": data[:4] == b"RIFF" and data[8:12] == b"WEBP",
        "a BMP": data[:2] == b"BM",
        "a TIFF": data[:4] in (b"II*\0", b"MM\0*"),
        "a JPEG XL": data[:2] == b"\xff\x0a" or data[4:8] == b"JXL ",
        "an AVIF or HEIF": data[4:8] == b"ftyp",
    }
    found = [kind for kind, is_it in kinds.items() if is_it]
    return f": {found[0]} picture" if found else ""
