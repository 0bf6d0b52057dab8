"""A sweep's rows: one a trial, and their mean and spread by setting."""

import csv
import io
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lgcnet_tf.sweep.trial import Trial
from lgcnet_tf.sweep.vary import setting_name

FIGURES = ("miou", "params", "macs", "predicted_ms", "measured_ms")
"""Averaged over the seeds; mIoU as a fraction of 1."""


def trial_row(
    trial: Trial, measured: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The figures of a finished trial.

    Args:
        measured: `measured_ms` and `spread_ms` that replace the evaluation's.

    Returns:
        The axes' values, `seed`, `miou` (a fraction), `params`, `macs`,
        `predicted_ms`, `measured_ms` and its interquartile range `spread_ms`.
    """
    evaluated = trial.results("evaluate")
    return {
        "trial": trial.name,
        **trial.setting,
        "seed": trial.seed,
        "miou": evaluated["miou"],
        "params": evaluated["params"],
        "macs": evaluated["macs"],
        "predicted_ms": evaluated["predicted_latency_ms"],
        "measured_ms": evaluated["latency_ms"],
        "spread_ms": evaluated["latency_spread_ms"],
        **(measured or {}),
    }


def summarize(
    rows: Sequence[Mapping[str, Any]], settings: Iterable[Mapping[str, str]]
) -> list[dict[str, Any]]:
    """Mean and sample standard deviation over the seeds, by setting.

    Returns:
        For each setting that has a trial its values, `trials`, and for each of
        `FIGURES` its mean and, as `FIGURE_std`, the standard deviation (n - 1;
        None of a single trial).
    """
    summary = []
    for setting in settings:
        own = [row for row in rows if all(row[k] == v for k, v in setting.items())]
        if not own:
            continue
        entry: dict[str, Any] = {**setting, "trials": len(own)}
        for name in FIGURES:
            values = [row[name] for row in own if row[name] is not None]
            entry[name] = statistics.fmean(values) if values else None
            spread = statistics.stdev(values) if len(values) > 1 else None
            entry[f"{name}_std"] = spread
        summary.append(entry)
    return summary


def to_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows as CSV with a header; empty without rows."""
    text = io.StringIO()
    if rows:
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return text.getvalue()


Cells = tuple[tuple[str, ...], list[tuple[str, ...]]]
"""Head and rows of a table, as `terminal.show_table` takes them."""


def trial_cells(rows: Sequence[Mapping[str, Any]], axes: Sequence[str]) -> Cells:
    """A table of the trials."""
    head = ("setting", "seed", "mIoU %", "params", "MACs", "predicted", "measured")
    return (
        head,
        [
            (
                setting_name({axis: row[axis] for axis in axes}),
                str(row["seed"]),
                _scaled(row["miou"], 100, "{:.2f}"),
                _scaled(row["params"], 1e-6, "{:.3f} M"),
                _scaled(row["macs"], 1e-9, "{:.3f} G"),
                _scaled(row["predicted_ms"], 1, "{:.2f} ms"),
                _scaled(row["measured_ms"], 1, "{:.2f} ms")
                + _scaled(row["spread_ms"], 1, " ±{:.2f}"),
            )
            for row in rows
        ],
    )


def summary_cells(summary: Sequence[Mapping[str, Any]], axes: Sequence[str]) -> Cells:
    """A table of means ± standard deviations over the seeds."""

    def both(entry, name, factor, form):
        spread = entry[f"{name}_std"]
        return _scaled(entry[name], factor, form) + _scaled(
            spread, factor, " ±" + form.split("}")[0] + "}", absent=""
        )

    head = ("setting", "trials", "mIoU %", "params", "MACs", "predicted", "measured")
    return (
        head,
        [
            (
                setting_name({axis: entry[axis] for axis in axes}),
                str(entry["trials"]),
                both(entry, "miou", 100, "{:.2f}"),
                both(entry, "params", 1e-6, "{:.3f} M"),
                both(entry, "macs", 1e-9, "{:.3f} G"),
                both(entry, "predicted_ms", 1, "{:.2f} ms"),
                both(entry, "measured_ms", 1, "{:.2f} ms"),
            )
            for entry in summary
        ],
    )


def _scaled(value: float | None, factor: float, form: str, absent: str = "-") -> str:
    return absent if value is None else form.format(value * factor)
