"""A run folder as one HTML file that needs nothing else."""

import base64
import html
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lgcnet_tf.files import atomic_write
from lgcnet_tf.report.course import course_of
from lgcnet_tf.report.style import STYLE
from lgcnet_tf.report.summary import class_rows, headline
from lgcnet_tf.space.choices import choice_lines
from lgcnet_tf.space.genotype import Genotype
from lgcnet_tf.space.operations import CELL_OPERATIONS
from lgcnet_tf.space.skeleton import CELL_EDGE_NAMES


def write_html(
    path: str | os.PathLike,
    title: str,
    results: Mapping[str, Any] | None = None,
    genotype: Genotype | None = None,
    history: Sequence[Mapping[str, Any]] | None = None,
    flags: str | None = None,
    pictures: Sequence[tuple[str, pathlib.Path]] = (),
    course: np.ndarray | None = None,
) -> pathlib.Path:
    """Writes the report, whole or not at all; what is None is left out.

    Args:
        path: HTML file to write.
        title: heading.
        results: see `summary.headline`.
        genotype: becomes a table of operations.
        history: its last epoch becomes a table.
        flags: text of the flagfile.
        pictures: caption and PNG file of each; they go into the HTML.
        course: probabilities (epochs, cells, edges, operations) of a search; become
            a picture with a slider over the epochs.
    """
    parts = []
    if results and headline(results):
        cards = "".join(
            f'<div class="card"><b>{_text(value)}</b><span>{_text(name)}</span></div>'
            for name, value in headline(results)
        )
        parts.append(_section("Results", f'<div class="cards">{cards}</div>'))
    if results and class_rows(results):
        parts.append(_section("IoU per class", _class_bars(results)))
    if results and choice_lines(results):
        lines = "".join(f"<p>{_text(line)}</p>" for line in choice_lines(results))
        parts.append(_section("Choice", lines))
    parts += [_section(caption, _image(file, caption)) for caption, file in pictures]
    if course is not None and course.ndim == 4 and len(course):
        parts.append(_section("The choice, epoch by epoch", _course(course)))
    if history:
        rows = [(name, _figure(value)) for name, value in history[-1].items()]
        parts.append(_section("Last epoch", _table(("figure", "value"), rows)))
    if genotype is not None:
        parts.append(_section("Genotype", _genotype(genotype)))
    if flags:
        parts.append(_section("Flags", f"<pre>{_text(flags.strip())}</pre>"))
    page = (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{_text(title)}</title><style>{STYLE}</style></head>\n"
        f"<body><main><h1>{_text(title)}</h1>\n{''.join(parts)}</main></body></html>\n"
    )
    path = pathlib.Path(path)
    with atomic_write(path) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return path


def _class_bars(results: Mapping[str, Any]) -> str:
    rows = []
    for name, value in class_rows(results):
        iou = results["per_class_iou"][name]
        share = 100 * iou if isinstance(iou, float | int) else 0.0
        bar = f'<i style="width: {share:.1f}%"></i>'
        rows.append(
            f'<tr><td>{_text(name)}</td><td class="number">{_text(value)}</td>'
            f'<td class="bar">{bar}</td></tr>'
        )
    head = "<tr><th>class</th><th>IoU</th><th></th></tr>"
    return f"<table>{head}{''.join(rows)}</table>"


def _course(course: np.ndarray) -> str:
    count = course.shape[3]
    names = CELL_OPERATIONS
    if len(names) != count:
        names = tuple(f"operation {number}" for number in range(count))
    return course_of(course, CELL_EDGE_NAMES, names)


def _genotype(genotype: Genotype) -> str:
    cells = [
        (f"{spec.index}", f"{spec.stride}", *cell)
        for spec, cell in zip(genotype.skeleton.cells, genotype.cells)
    ]
    tables = [_table(("cell", "stride", *CELL_EDGE_NAMES), cells)]
    if genotype.fusion:
        tables.append(_table(("fusion edge", "operation"), genotype.fusion.items()))
    if genotype.provenance:
        rows = [(name, _figure(value)) for name, value in genotype.provenance.items()]
        tables.append(_table(("provenance", ""), rows))
    return "<br>".join(tables)


def _section(title: str, content: str) -> str:
    return f"<section><h2>{_text(title)}</h2>{content}</section>\n"


def _table(head: Sequence[str], rows) -> str:
    def row(tag, cells):
        return "<tr>" + "".join(f"<{tag}>{_text(c)}</{tag}>" for c in cells) + "</tr>"

    return (
        f"<table>{row('th', head)}{''.join(row('td', cells) for cells in rows)}</table>"
    )


def _image(file: pathlib.Path, caption: str) -> str:
    data = base64.b64encode(file.read_bytes()).decode()
    return f'<img alt="{_text(caption)}" src="data:image/png;base64,{data}">'


def _figure(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _text(value: Any) -> str:
    return html.escape(str(value))
