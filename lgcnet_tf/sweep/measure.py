"""The derived networks of a sweep, timed in turns in one process."""

import os
from collections.abc import Mapping

from lgcnet_tf.evaluation.models import load_model
from lgcnet_tf.latency.measure import Progress, measure
from lgcnet_tf.latency.settings import REPEATS
from lgcnet_tf.runtimes.base import Runtime


def measure_models(
    models: Mapping[str, str | os.PathLike],
    runtime: Runtime,
    repeats: int = REPEATS,
    progress: Progress | None = None,
) -> dict[str, dict[str, float]]:
    """Times one image through each trial's network, all in turns.

    Trials that ran side by side disturbed one another's measurements; here
    every network meets the same machine.

    Args:
        models: for each trial's name its trained network.

    Returns:
        By the trial's name `measured_ms`, the median, and `spread_ms`, the
        interquartile range.
    """
    runs = {}
    for index, (name, path) in enumerate(models.items()):
        runs[name] = load_model(str(path)).compile(runtime)
        if progress:
            progress("compiling", index + 1, len(models))
    entries = measure(runs, repeats, progress=progress) if runs else {}
    return {
        name: {"measured_ms": e.median_ms, "spread_ms": e.spread_us / 1000.0}
        for name, e in entries.items()
    }
