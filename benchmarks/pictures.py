"""Pictures in every kind of pixel that PNG and JPEG have, with what they should become.

The PNG files are written here byte by byte and what they should become is
computed from the numbers put in, so that it does not depend on a decoder. For a
JPEG it is what libjpeg gives through Pillow.
"""

import dataclasses
import io
import struct
import zlib

import numpy as np
from PIL import Image

GRAY, RGB, PALETTE, GRAY_ALPHA, RGBA = 0, 2, 3, 4, 6
CHANNELS = {GRAY: 1, RGB: 3, PALETTE: 1, GRAY_ALPHA: 2, RGBA: 4}
# First row and column, steps in rows and columns of Adam7's passes.
PASSES = (
    (0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4),
    (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1),
)  # fmt: skip
TURNS = {
    1: lambda x: x,
    2: np.fliplr,
    3: lambda x: np.rot90(x, 2),
    4: np.flipud,
    5: lambda x: x.swapaxes(0, 1),
    6: lambda x: np.rot90(x, -1),
    7: lambda x: np.rot90(x, 2).swapaxes(0, 1),
    8: lambda x: np.rot90(x, 1),
}
"""EXIF orientation to what makes stored pixels upright."""


@dataclasses.dataclass(frozen=True)
class Picture:
    """A file and its pixels.

    Attributes:
        name: the kind of pixel.
        data: a PNG or JPEG file.
        pixels: uint8 RGB (height, width, 3), as stored.
        bound: by how much a decoder may differ from `pixels`, in levels.
    """

    name: str
    data: bytes
    pixels: np.ndarray
    bound: int = 0


def png_file(values, depth, color_type, before=(), interlaced=False) -> bytes:
    """Writes a PNG file.

    Args:
        values: integers (height, width) or (height, width, channels).
        depth: bits of each.
        color_type: as in a PNG's header.
        before: (type, content) of the chunks before the pixels.
        interlaced: by Adam7.
    """
    values = np.asarray(values)
    height, width = values.shape[:2]
    values = values.reshape(height, width, CHANNELS[color_type])
    passes = PASSES if interlaced else ((0, 0, 1, 1),)
    rows = []
    for top, left, down, right in passes:
        part = values[top::down, left::right]
        if part.size:
            rows += [b"\0" + _packed(row.ravel(), depth) for row in part]
    header = struct.pack(">IIBBBBB", width, height, depth, color_type, 0, 0, interlaced)
    chunks = [(b"IHDR", header), *before, (b"IDAT", zlib.compress(b"".join(rows)))]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        _chunk(*c) for c in [*chunks, (b"IEND", b"")]
    )


def _packed(row, depth):
    if depth == 16:
        return row.astype(">u2").tobytes()
    bits = np.unpackbits(row.astype(np.uint8)[:, None], axis=1)[:, 8 - depth :]
    return np.packbits(bits).tobytes()


def _chunk(kind, content):
    crc = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", crc)


def exif(
    orientation: int, order: str = ">", long: bool = False, others: int = 1
) -> bytes:
    """A TIFF block with `others` tags before the orientation's."""
    entries = [(0x010E + i, 4, 1, struct.pack(order + "I", i)) for i in range(others)]
    value = struct.pack(
        order + ("I" if long else "HH"), *([orientation] if long else [orientation, 0])
    )
    entries.append((0x0112, 4 if long else 3, 1, value))
    block = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, 8)
    block += struct.pack(order + "H", len(entries))
    for tag, kind, count, content in entries:
        block += struct.pack(order + "HHI", tag, kind, count) + content
    return block + bytes(4)


def with_exif(data: bytes, block: bytes, late: bool = False) -> bytes:
    """A PNG or JPEG file with an EXIF block.

    Args:
        late: behind a PNG's pixels; behind all segments that a JPEG begins with.
    """
    if data.startswith(b"\x89PNG"):
        place = data.rindex(b"IEND" if late else b"IDAT") - 4
        return data[:place] + _chunk(b"eXIf", block) + data[place:]
    segment = b"Exif\0\0" + block
    segment = b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment
    place = 2
    while late and 0xE0 <= data[place + 1] <= 0xEF:
        place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    return data[:place] + segment + data[place:]


def pictures(height: int, width: int, seed: int = 0) -> list[Picture]:
    """One of every kind of pixel."""
    draw = np.random.default_rng(seed).integers
    found = []

    def add_png(name, values, depth, color_type, pixels, before=()):
        pixels = np.broadcast_to(pixels, (height, width, 3)).astype(np.uint8)
        for interlaced in (False, True):
            data = png_file(values, depth, color_type, before, interlaced)
            found.append(Picture(name + interlaced * ", interlaced", data, pixels))

    for depth in (1, 2, 4, 8, 16):
        values = draw(0, 2**depth, (height, width))
        scaled = np.round(values * 255 / (2**depth - 1))[..., None]
        add_png(f"gray, {depth} bit", values, depth, GRAY, scaled)
        key = [(b"tRNS", struct.pack(">H", int(values[0, 0])))]
        add_png(f"gray, {depth} bit, transparency", values, depth, GRAY, scaled, key)
    for depth in (1, 2, 4, 8):
        values = draw(0, 2**depth, (height, width))
        colors = draw(0, 256, (2**depth, 3)).astype(np.uint8)
        chunks = [(b"PLTE", colors.tobytes())]
        add_png(f"palette, {depth} bit", values, depth, PALETTE, colors[values], chunks)
        chunks.append((b"tRNS", draw(0, 256, 2**depth).astype(np.uint8).tobytes()))
        name = f"palette, {depth} bit, transparency"
        add_png(name, values, depth, PALETTE, colors[values], chunks)
    for depth in (8, 16):
        top = 2**depth
        for name, kind in (
            ("gray and alpha", GRAY_ALPHA),
            ("RGB", RGB),
            ("RGBA", RGBA),
        ):
            values = draw(0, top, (height, width, CHANNELS[kind]))
            colors = values[..., : 1 if kind == GRAY_ALPHA else 3]
            scaled = np.round(colors * 255 / (top - 1))
            add_png(f"{name}, {depth} bit", values, depth, kind, scaled)
    return found + _jpegs(height, width, draw)


def _jpegs(height, width, draw):
    coarse = draw(0, 256, (max(2, height // 4), max(2, width // 4), 4)).astype(np.uint8)
    smooth = Image.fromarray(coarse, "RGBA").resize((width, height), Image.BILINEAR)
    rgb, gray, inks = smooth.convert("RGB"), smooth.convert("L"), np.asarray(smooth)
    found = []

    def add(
        name, image, convert=lambda image: image.convert("RGB"), bound=0, **options
    ):
        file = io.BytesIO()
        image.save(file, "JPEG", quality=90, **options)
        pixels = np.asarray(convert(Image.open(io.BytesIO(file.getvalue()))))
        found.append(Picture(f"JPEG, {name}", file.getvalue(), pixels, bound))

    add("gray", gray)
    for name, subsampling in (("4:4:4", 0), ("4:2:2", 1), ("4:2:0", 2)):
        add(f"YCbCr {name}", rgb, subsampling=subsampling)
        add(
            f"YCbCr {name}, progressive", rgb, subsampling=subsampling, progressive=True
        )
    add("RGB", rgb, keep_rgb=True)
    # Pillow rounds a product that libjpeg's users cut off.
    add("CMYK", Image.fromarray(inks, "CMYK"), bound=1)
    data, pixels = found[-1].data, np.asarray(Image.open(io.BytesIO(found[-1].data)))
    place = data.index(b"\xff\xee")
    length = int.from_bytes(data[place + 2 : place + 4], "big")
    plain = data[:place] + data[place + 2 + length :]
    rgb = np.asarray(Image.fromarray(255 - pixels, "CMYK").convert("RGB"))
    found.append(Picture("JPEG, CMYK without Adobe's mark", plain, rgb, 1))
    return found
