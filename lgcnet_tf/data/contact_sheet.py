"""A picture of a split: images with their masks over them, and a legend."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from lgcnet_tf.data.info import DatasetInfo
from lgcnet_tf.data.samples import Sample

CELL = (200, 240)
"""Largest (height, width) of a picture on the sheet, in pixels."""

COLUMNS = 4
_ALPHA = 0.55
_STRIPES = 8
_MARGIN = 8
_LINE = 18
_TEXT = 13


def contact_sheet(
    samples: Sequence[Sample],
    info: DatasetInfo,
    notes: Sequence[str] = (),
    title: str = "",
) -> Image.Image:
    """Draws samples in rows, each with its name, below a legend of the classes.

    Args:
        samples: those to show.
        info: names and colours of the classes.
        notes: what the legend says behind each class' name, and last of void.
        title: the first line.
    """
    pictures = [(overlaid(sample, info), sample.name) for sample in samples]
    return picture_sheet(pictures, _legend(info, notes), title)


def picture_sheet(
    pictures: Sequence[tuple[Image.Image, str]],
    legend: Sequence[tuple[str, tuple[int, int, int]]] = (),
    title: str = "",
) -> Image.Image:
    """Draws pictures in rows, each with what is said of it.

    Args:
        pictures: those to show, and a line for each.
        legend: texts and their colours.
        title: the first line.
    """
    font = ImageFont.load_default(_TEXT)
    rows = -(-len(pictures) // COLUMNS)
    height, width = CELL
    cell_height, cell_width = height + _LINE + _MARGIN, width + _MARGIN
    columns = min(COLUMNS, max(1, len(pictures)))
    sheet_width = max(columns * cell_width + _MARGIN, 480)
    lines, legend_height = _flow(legend, sheet_width, font)
    top = 2 * _MARGIN + _LINE + legend_height
    sheet = Image.new("RGB", (sheet_width, top + rows * cell_height), "white")
    draw = ImageDraw.Draw(sheet)
    draw.text((_MARGIN, _MARGIN), title, "black", font)
    for x, y, text, color in lines:
        box = (x, y + _MARGIN + _LINE, x + 12, y + _MARGIN + _LINE + 12)
        draw.rectangle(box, color, "black")
        draw.text((box[2] + 4, box[1] - 2), text, "black", font)
    for number, (picture, name) in enumerate(pictures):
        x = _MARGIN + number % COLUMNS * cell_width
        y = top + number // COLUMNS * cell_height
        sheet.paste(_fitted(picture), (x, y))
        draw.text((x, y + height), _short(name, width, font), "black", font)
    return sheet


def overlaid(sample: Sample, info: DatasetInfo) -> Image.Image:
    """The image with its classes' colours over it; void is striped black."""
    label = sample.label
    known = (label < info.num_classes)[..., None]
    colors = info.colorize(label)
    blended = (1 - _ALPHA) * sample.image + _ALPHA * colors
    y, x = np.indices(label.shape)
    stripes = ((x + y) // _STRIPES % 2 == 0)[..., None] & ~known
    shown = np.where(known, blended, sample.image)
    return Image.fromarray(np.where(stripes, 0, shown).astype(np.uint8))


def _fitted(picture: Image.Image) -> Image.Image:
    height, width = CELL
    scale = min(height / picture.height, width / picture.width)
    size = [max(1, round(side * scale)) for side in picture.size]
    how = Image.Resampling.BOX if scale < 1 else Image.Resampling.NEAREST
    return picture.resize(size, how)


def _legend(info, notes):
    notes = [*notes, *[""] * (info.num_classes + 1)]
    entries = [
        (f"{index} {name} {note}".strip(), tuple(int(part) for part in color))
        for index, (name, color, note) in enumerate(
            zip(info.class_names, info.palette, notes)
        )
    ]
    return [*entries, (f"void {notes[info.num_classes]}".strip(), (0, 0, 0))]


def _flow(entries, width, font):
    """Places legend entries in lines like words; (x, y, text, colour) and height."""
    placed, x, y = [], _MARGIN, 0
    for text, color in entries:
        needed = 16 + font.getlength(text) + 2 * _MARGIN
        if x > _MARGIN and x + needed > width:
            x, y = _MARGIN, y + _LINE
        placed.append((x, y, text, color))
        x += needed
    return placed, y + _LINE


def _short(name, width, font):
    while font.getlength(name) > width and len(name) > 4:
        name = "…" + name[2:]
    return name
