"""What a report says of a training: its curves and what it was given."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from lgcnet_tf.figures.charts import PANELS
from lgcnet_tf.report.charts import Curve, curves, panels
from lgcnet_tf.report.html import details, figure, section, table

PLAIN = (*PANELS.items(), ("Accuracy of classes (%)", ("top1", "top5", "val_top1", "val_top5")))  # fmt: skip
"""Title of a panel and the keys of an epoch's figures that it shows."""

Epochs = Sequence[Mapping[str, Any]]


def training_sections(history: Epochs) -> list[str]:
    """The curves of the figures that are known, and all of the last epoch."""
    drawn = []
    for title, keys in PLAIN:
        factor = 100.0 if "%" in title else 1.0
        lines = {key: curve_of(history, key, factor) for key in keys}
        lines = {key: line for key, line in lines.items() if line[0]}
        if lines:
            drawn.append(curves(title, lines))
    if not history:
        return []
    rows = [(name, figure(value)) for name, value in history[-1].items()]
    last = details("All figures of the last epoch", table(("figure", "value"), rows))
    return [section("Training", panels(*drawn), last)]


def curve_of(history: Epochs, key: str, factor: float = 1.0) -> Curve:
    """Epochs that have a finite figure, and the figures."""
    points = [
        (row.get("epoch", number), factor * row[key])
        for number, row in enumerate(history, start=1)
        if isinstance(row.get(key), int | float) and math.isfinite(row[key])
    ]
    return [x for x, _ in points], [y for _, y in points]
