"""The closing table of a run, in plain text."""

import math
from collections.abc import Mapping
from typing import Any

_BEST = {
    "val_miou": "mIoU on the validation split",
    "left_out_miou": "mIoU on the groups left out",
    "val_top1": "top-1 accuracy on the validation split",
}
"""Figures of a training whose best epoch is kept, as `best_NAME` of its results."""


def headline(results: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The figures a reader asks for first, as (name, value with unit).

    Args:
        results: `results.json`, of one run or of several put together. Used
            where present: `miou`, `pixel_accuracy` (fractions of 1), `best_val_miou`
            and the like, `num_images`,
            `latency_range_ms` (of a search space, fastest and slowest),
            `predicted_latency_ms`, `latency_ms` (measured; a number or a dict
            with `median`), `params`, `macs`, `measured_on` (runtime, precision and
            calibration of `accuracy` and `latency`), `weights` where random.
    """
    measured = _number(results.get("latency_ms"))
    on = results.get("measured_on") or {}
    rows = [
        ("weights", "random" if results.get("weights") == "random" else None),
        ("mIoU", _scaled(results.get("miou"), 100, ".2f", " %")),
        *(
            (f"best {said}", _scaled(results.get(f"best_{name}"), 100, ".2f", " %"))
            for name, said in _BEST.items()
        ),
        ("pixel accuracy", _scaled(results.get("pixel_accuracy"), 100, ".2f", " %")),
        ("accuracy measured on", _place(on.get("accuracy"))),
        ("images", _scaled(results.get("num_images"), 1, ",.0f", "")),
        ("latencies of the space", _range(results.get("latency_range_ms"))),
        ("predicted latency", _time(_number(results.get("predicted_latency_ms")))),
        ("measured latency", _time(measured)),
        ("latency measured on", _place(on.get("latency"))),
        ("frames per second", _scaled(measured and 1000 / measured, 1, ".1f", "")),
        ("parameters", _scaled(results.get("params"), 1e-6, ".3f", " M")),
        ("multiply-accumulates", _scaled(results.get("macs"), 1e-9, ".3f", " G")),
    ]
    return [(name, text) for name, text in rows if text is not None]


def class_rows(results: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(class, IoU in % or `absent`) of `results["per_class_iou"]`."""
    ious = results.get("per_class_iou")
    if not isinstance(ious, Mapping):
        return []
    return [
        (name, _scaled(_number(iou), 100, ".2f", " %") or "absent")
        for name, iou in ious.items()
    ]


def summary_table(results: Mapping[str, Any], title: str = "") -> str:
    """The table as text, without a newline at its end.

    Args:
        results: see `headline`; with `per_class_iou` the classes follow.
        title: stands above it.
    """
    sections = [rows for rows in (headline(results), class_rows(results)) if rows]
    cells = [row for rows in sections for row in rows]
    left = max((len(name) for name, _ in cells), default=0)
    right = max((len(value) for _, value in cells), default=0)
    rule = "-" * (left + right + 3)
    lines = [title] if title else []
    for rows in sections:
        lines.append(rule)
        lines += [f"{name:<{left}}   {value:>{right}}" for name, value in rows]
    return "\n".join([*lines, rule])


def _range(found: Any) -> str | None:
    return f"{found[0]:.4g} to {found[1]:.4g} ms" if found else None


def _place(found: Mapping[str, Any] | None) -> str | None:
    if not found:
        return None
    calibration = found.get("calibration")
    words = f"{found['runtime']}, {found['precision']}"
    return f"{words}, calibrated by {calibration}" if calibration else words


def _number(value: Any) -> float | None:
    if isinstance(value, Mapping):
        value = value.get("median")
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if math.isfinite(value) else None


def _scaled(value, factor, form, unit):
    value = _number(value)
    return None if value is None else f"{value * factor:{form}}{unit}"


def _time(value):
    return _scaled(value, 1, ".2f", " ms")
