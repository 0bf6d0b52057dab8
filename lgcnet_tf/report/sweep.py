"""What a report says of a sweep: accuracy against latency, and every trial."""

from collections.abc import Mapping, Sequence
from typing import Any

from lgcnet_tf.report.charts import Point, front
from lgcnet_tf.report.html import cards, section, text

_FIGURES = (
    ("miou", "mIoU", 100.0, "{:.2f} %"),
    ("params", "parameters", 1e-6, "{:.3f} M"),
    ("macs", "MACs", 1e-9, "{:.3f} G"),
    ("predicted_ms", "predicted", 1.0, "{:.2f} ms"),
    ("measured_ms", "measured", 1.0, "{:.2f} ms"),
)
_OTHERS = ("trial", "seed", "spread_ms", "trials")


def sweep_sections(results: Mapping[str, Any]) -> list[str]:
    """The front of the trials, their table, and means by setting; or nothing."""
    rows = results.get("trials")
    if not isinstance(rows, list) or not rows:
        return []
    figures = [name for name, *_ in _FIGURES]
    axes = [name for name in rows[0] if name not in (*figures, *_OTHERS)]
    best = set(results.get("pareto_front", ()))
    counts = [("trials", f"{len(rows)}"), ("on the front", f"{len(best)}")]
    found = [section("Results", cards(counts))]
    points = [
        Point(
            f"{_setting(row, axes)}, seed {row['seed']}".removeprefix(", "),
            row["measured_ms"],
            100.0 * row["miou"],
            f"{row['measured_ms']:.4g} ms, mIoU {100 * row['miou']:.2f} %, "
            f"{row['params'] / 1e6:.3f} M parameters",
            group=_setting(row, axes),
            key=row["trial"],
        )
        for row in rows
        if row["miou"] is not None and row["measured_ms"] is not None
    ]
    if points:
        note = "A ring marks the networks that no other one beats in both figures."
        drawn = front("mIoU (%)", points, "measured latency (ms)")
        drawn = f'<div class="lone">{drawn}</div>'
        found.append(section("Accuracy and latency", drawn, note=note))
    titles = [title for _, title, *_ in _FIGURES]
    trials = {"": (*axes, "seed", *titles, "front", "folder")}
    for row in rows:
        texts = [_figure(row, *rest) for rest in _FIGURES]
        on = "on it" if row["trial"] in best else ""
        settings = [row[axis] for axis in axes]
        name = row["trial"]
        trials[name] = (*settings, row["seed"], *texts, on, name)
    found.append(section("Trials", _table(trials)))
    summary = results.get("summary") or []
    if axes and any(entry["trials"] > 1 for entry in summary):
        means = {"": (*axes, "trials", *titles)}
        for entry in summary:
            texts = [_figure(entry, *rest) for rest in _FIGURES]
            settings = [entry[axis] for axis in axes]
            means[_setting(entry, axes)] = (*settings, entry["trials"], *texts)
        note = "Means over the seeds, with the standard deviation."
        found.append(section("Settings", _table(means), note=note))
    return found


def _setting(row, axes) -> str:
    return ", ".join(f"{axis} {row[axis]}" for axis in axes)


def _figure(row, name, title, factor, form) -> str:
    value = row.get(name)
    if value is None:
        return "-"
    said = form.format(factor * value)
    spread = row.get(f"{name}_std")
    return said if spread is None else f"{said} ±{factor * spread:.2g}"


def _table(rows: Mapping[str, Sequence[Any]]) -> str:
    """Of texts, with the key of each row as `data-key`, by which a point finds it.

    Args:
        rows: the head first.
    """
    (_, head), *others = rows.items()
    columns = "".join(f'<th scope="col">{text(name)}</th>' for name in head)
    body = "".join(
        f'<tr data-key="{text(key)}"><th scope="row">{text(row[0])}</th>'
        + "".join(f"<td>{text(cell)}</td>" for cell in row[1:])
        + "</tr>"
        for key, row in others
    )
    return f"<table><thead><tr>{columns}</tr></thead><tbody>{body}</tbody></table>"
