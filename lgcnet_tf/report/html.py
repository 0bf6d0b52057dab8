"""Pieces of a report and the page that they make: HTML that needs nothing else."""

import base64
import html
import io
import os
import pathlib
from collections.abc import Iterable, Sequence
from typing import Any

from PIL import Image

from lgcnet_tf.files import atomic_write
from lgcnet_tf.report.style import SCRIPT, STYLE

_LOSSLESS = 150_000
"""Bytes of the largest PNG file that goes into a page as it is."""

_QUALITY = 88


def text(value: Any) -> str:
    """The value as text that is no markup."""
    return html.escape(str(value))


def figure(value: Any) -> str:
    """A number as people read it; anything else as it is."""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def section(title: str, *content: str, note: str = "") -> str:
    """A part of the page under a heading, with a line that explains it."""
    said = f'<p class="muted">{text(note)}</p>' if note else ""
    return f"<section><h2>{text(title)}</h2>{said}{''.join(content)}</section>\n"


def heading(title: str) -> str:
    """A heading above several sections."""
    return f'<h2 class="part">{text(title)}</h2>\n'


def cards(figures: Iterable[tuple[str, str]]) -> str:
    """The figures a reader asks for first, as (name, value)."""
    return '<div class="cards">{}</div>'.format(
        "".join(
            f'<div class="card"><b>{text(value)}</b><span>{text(name)}</span></div>'
            for name, value in figures
        )
    )


def table(head: Sequence[Any], rows: Iterable[Sequence[Any]], caption="") -> str:
    """A table of texts; the first column names its row."""

    def row(cells):
        first, *others = cells
        named = f'<th scope="row">{text(first)}</th>'
        return f"<tr>{named}{''.join(f'<td>{text(c)}</td>' for c in others)}</tr>"

    columns = "".join(f'<th scope="col">{text(name)}</th>' for name in head)
    said = f"<caption>{text(caption)}</caption>" if caption else ""
    body = "".join(row(cells) for cells in rows)
    return (
        f"<table>{said}<thead><tr>{columns}</tr></thead><tbody>{body}</tbody></table>"
    )


def bar_table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A table of numbers with a bar behind each row.

    Args:
        head: names of the columns.
        rows: name, numbers as texts, and the bar's length, 0 to 1.
    """

    def row(cells):
        first, *numbers, length = cells
        said = "".join(f'<td class="number">{text(one)}</td>' for one in numbers)
        bar = f'<div><i style="width:{100 * length:.1f}%"></i></div>'
        return f'<tr><th scope="row">{text(first)}</th>{said}<td class="bar">{bar}</td></tr>'

    columns = "".join(f'<th scope="col">{text(name)}</th>' for name in head)
    return (
        f'<table><thead><tr>{columns}<td class="bar"></td></tr></thead>'
        f"<tbody>{''.join(map(row, rows))}</tbody></table>"
    )


def details(title: str, content: str) -> str:
    """Something to unfold, which is printed anyway."""
    return f"<details><summary>{text(title)}</summary>{content}</details>"


def figure_file(file: pathlib.Path, caption: str) -> str:
    """A PNG file; a large one, such as a sheet of photographs, as JPEG."""
    data = file.read_bytes()
    if len(data) <= _LOSSLESS:
        return _img(data, "png", caption)
    return image(Image.open(io.BytesIO(data)).convert("RGB"), caption, photograph=True)


def image(picture: Image.Image, caption: str, photograph: bool = False) -> str:
    """A picture; a photograph as JPEG, else as PNG."""
    buffer, form = io.BytesIO(), "jpeg" if photograph else "png"
    options: dict[str, Any] = {"quality": _QUALITY} if photograph else {}
    picture.save(buffer, form, optimize=True, **options)
    return _img(buffer.getvalue(), form, caption)


def _img(data, form, caption):
    source = f"data:image/{form};base64,{base64.b64encode(data).decode()}"
    return f'<img alt="{text(caption)}" src="{source}">'


def write_page(
    path: str | os.PathLike, title: str, sections: Iterable[str]
) -> pathlib.Path:
    """Writes the page, whole or not at all.

    Args:
        path: HTML file to write.
        title: heading.
        sections: of `section` and `heading`, in their order.
    """
    page = (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{text(title)}</title><style>{STYLE}</style></head>\n"
        f"<body><main><h1>{text(title)}</h1>\n{''.join(sections)}</main>"
        f"<script>{SCRIPT}</script></body></html>\n"
    )
    path = pathlib.Path(path)
    with atomic_write(path) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return path
