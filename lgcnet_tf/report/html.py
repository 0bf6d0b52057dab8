"""A run folder as one HTML file that needs nothing else."""

import base64
import html
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from lgcnet_tf.files import atomic_write
from lgcnet_tf.report.summary import class_rows, headline
from lgcnet_tf.space.choices import choice_lines
from lgcnet_tf.space.genotype import Genotype
from lgcnet_tf.space.skeleton import CELL_EDGE_NAMES

_STYLE = """
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, sans-serif; color: #222; background: #f4f5f7;
       margin: 0; }
main { max-width: 1180px; margin: 0 auto; padding: 28px 20px 60px; }
h1 { font-size: 26px; margin: 0 0 4px; }
h2 { font-size: 18px; margin: 0 0 12px; }
section { background: #fff; border: 1px solid #e1e4e8; border-radius: 8px;
          padding: 18px 20px; margin-top: 20px; overflow-x: auto; }
.cards { display: flex; flex-wrap: wrap; gap: 12px; }
.card { border: 1px solid #e1e4e8; border-radius: 8px; padding: 10px 16px; }
.card b { display: block; font-size: 20px; }
.card span, .muted { color: #6a6f76; font-size: 13px; }
table { border-collapse: collapse; font-size: 14px; }
th, td { text-align: left; padding: 3px 16px 3px 0;
         border-bottom: 1px solid #eceef0; white-space: nowrap; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
img { max-width: 100%; height: auto; display: block; }
pre { background: #f6f7f9; padding: 12px; border-radius: 6px; overflow-x: auto;
      font-size: 13px; margin: 0; }
"""


def write_html(
    path: str | os.PathLike,
    title: str,
    results: Mapping[str, Any] | None = None,
    genotype: Genotype | None = None,
    history: Sequence[Mapping[str, Any]] | None = None,
    flags: str | None = None,
    pictures: Sequence[tuple[str, pathlib.Path]] = (),
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
    """
    parts = []
    if results and headline(results):
        cards = "".join(
            f'<div class="card"><b>{_text(value)}</b><span>{_text(name)}</span></div>'
            for name, value in headline(results)
        )
        parts.append(_section("Results", f'<div class="cards">{cards}</div>'))
    if results and class_rows(results):
        parts.append(
            _section("IoU per class", _table(("class", "IoU"), class_rows(results)))
        )
    if results and choice_lines(results):
        lines = "".join(f"<p>{_text(line)}</p>" for line in choice_lines(results))
        parts.append(_section("Choice", lines))
    parts += [_section(caption, _image(file, caption)) for caption, file in pictures]
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
        f"<title>{_text(title)}</title><style>{_STYLE}</style></head>\n"
        f"<body><main><h1>{_text(title)}</h1>\n{''.join(parts)}</main></body></html>\n"
    )
    path = pathlib.Path(path)
    with atomic_write(path) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return path


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
