"""How well predicted latencies agree with measured ones."""

from collections.abc import Mapping

import numpy as np

LEAST_SPEARMAN = 0.95
MOST_ERROR = 0.10


def agreement(predicted, measured) -> dict[str, float]:
    """Figures of agreement; the arguments are (N,) in one unit.

    Returns:
        `spearman` and `pearson` correlation, and of predicted / measured - 1 the
        median and the 90th percentile of its size (`median_abs_error`,
        `p90_abs_error`) and its median (`bias`). Correlations are 0 where
        either side is constant.
    """
    predicted, measured = np.asarray(predicted, float), np.asarray(measured, float)
    relative = predicted / measured - 1.0
    figures = {
        "spearman": _correlation(_ranks(predicted), _ranks(measured)),
        "pearson": _correlation(predicted, measured),
        "median_abs_error": np.median(np.abs(relative)),
        "p90_abs_error": np.percentile(np.abs(relative), 90),
        "bias": np.median(relative),
    }
    return {name: round(float(value), 4) for name, value in figures.items()}


def trustworthy(figures: Mapping[str, float]) -> bool:
    """Whether such predictions can be relied on.

    They put networks into their order, with a Spearman correlation of
    `LEAST_SPEARMAN` or more, and half of them are off by `MOST_ERROR` or less.
    """
    order, error = figures["spearman"], figures["median_abs_error"]
    return order >= LEAST_SPEARMAN and error <= MOST_ERROR


def _ranks(values):
    """Places in the order; equal values share the mean of theirs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2.0)[inverse]


def _correlation(x, y):
    if len(x) < 2 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return 0.0
    return np.corrcoef(x, y)[0, 1]
