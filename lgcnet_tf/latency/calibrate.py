"""Correcting a table by whole networks, which runtimes run in their own way.

A runtime fuses operations, keeps maps in caches and overlaps work, so a network
is not as slow as the sum of its operations timed alone, and additions and
concatenations come on top. What an operation adds to a network is therefore
fitted to the measured latencies of some whole networks, with the time that it
took alone as the prior (Bayesian linear regression).
"""

import dataclasses
import itertools
from collections.abc import Sequence

import numpy as np

from lgcnet_tf.latency.estimate import CostModel
from lgcnet_tf.latency.network_pool import name_of
from lgcnet_tf.latency.table import Calibration, LatencyTable
from lgcnet_tf.space.genotype import Genotype
from lgcnet_tf.space.workloads import workloads

SIGMA = 0.05
TAUS = (0.05, 0.1, 0.2, 0.4, 0.8)
CONSTANT = 0.3
"""Prior of the constant: its deviation from 0 by a latency."""

MIN_FRACTION_OF_PRIOR = 0.05
"""No time may fall below so much of its prior."""

STRATA = 8

SEED = 0
"""Of the pool that the networks are drawn from."""


@dataclasses.dataclass(frozen=True)
class Design:
    """What networks consist of.

    Attributes:
        keys: (W,) `Workload.key` of each column.
        counts: (N, W), how often each network does each workload.
        prior_us: (W,) the times of the workloads alone.
        kinds: (W,) ints, equal for workloads of one operation.
    """

    keys: tuple[str, ...]
    counts: np.ndarray
    prior_us: np.ndarray
    kinds: np.ndarray

    def rows(self, index) -> "Design":
        """The design of some of the networks."""
        return dataclasses.replace(self, counts=self.counts[index])


@dataclasses.dataclass(frozen=True)
class Fit:
    """What networks take: `constant_us + counts @ times_us`.

    Attributes:
        times_us: (W,).
        constant_us: of every network.
        scale: the networks' measured latency by the sum of the prior's times.
        left_out: (N,) predicted / measured - 1 of the networks it was fitted to,
            each by a fit without it (of the same scale and the same bounds).
    """

    times_us: np.ndarray
    constant_us: float
    scale: float
    left_out: np.ndarray

    def predict(self, counts: np.ndarray) -> np.ndarray:
        """(N,) µs."""
        return self.constant_us + counts @ self.times_us


def design(table: LatencyTable, genotypes: Sequence[Genotype]) -> Design:
    """Counts the workloads of networks, and their times in a table's medians."""
    space = workloads(table.skeleton, table.input_size)
    measured = [not w.free and w.key in table.entries for w in space.columns]
    work = list(itertools.compress(space.columns, measured))
    choices = np.array([genotype.choice for genotype in genotypes])
    counts = space.counts(choices)[:, measured].astype(float)
    medians = np.array([table.entries[w.key].median_us for w in work])
    # A time that was lost in the noise still has to be able to grow.
    least_us = 0.02 * np.median(medians[medians > 0]) if medians.any() else 1.0
    kinds = {name: i for i, name in enumerate(dict.fromkeys(w.operation for w in work))}
    return Design(
        keys=tuple(w.key for w in work),
        counts=counts,
        prior_us=np.maximum(medians, least_us),
        kinds=np.array([kinds[w.operation] for w in work]),
    )


def fit(found: Design, measured_us: np.ndarray, tau: float) -> Fit:
    """Fits the times of workloads to measured networks.

    Minimises Σ ((constant + n · t - y) / y)² / σ² over the networks, y measured,
    plus the prior's r ᵀ K⁻¹ r with t = scale · prior · (1 + r). K has τ² on its
    diagonal and half of that between workloads of one operation: what a runtime
    does to an operation it does at every shape. No time falls below `MIN_FRACTION_OF_PRIOR`, and
    the constant not below 0.

    Args:
        found: of the networks.
        measured_us: (N,) y.
        tau: τ, how far a time may stray from its prior.
    """
    alone_us = found.counts @ found.prior_us
    scale = np.median(measured_us / alone_us)
    prior_us = scale * found.prior_us
    # Unknowns: r, and the constant in units of its prior's deviation.
    unit_us = CONSTANT * np.median(measured_us)
    constant = np.full(len(measured_us), unit_us)
    rows = np.column_stack([found.counts * prior_us, constant])
    rows = rows / measured_us[:, None]
    missing = 1.0 - rows[:, :-1].sum(1)
    count = len(prior_us)
    precision = np.eye(count + 1)
    precision[:count, :count] = np.linalg.inv(_prior(found.kinds, tau))
    left = rows.T @ rows / SIGMA**2 + precision
    right = rows.T @ missing / SIGMA**2
    floor = np.append(np.full(count, MIN_FRACTION_OF_PRIOR - 1.0), 0.0)
    fixed = np.zeros(count + 1, bool)
    solution = floor.copy()
    while True:
        free = ~fixed
        known = left[np.ix_(free, fixed)] @ floor[fixed]
        solution[free] = np.linalg.solve(left[np.ix_(free, free)], right[free] - known)
        below = free & (solution < floor - 1e-12)
        if not below.any():
            break
        fixed |= below
        solution[below] = floor[below]
    left_over = rows @ solution - missing
    weights = rows[:, free] @ np.linalg.inv(left[np.ix_(free, free)])
    leverage = (weights * rows[:, free]).sum(1) / SIGMA**2
    return Fit(
        times_us=prior_us * (1.0 + solution[:-1]),
        constant_us=float(unit_us * solution[-1]),
        scale=float(scale),
        left_out=left_over / (1.0 - leverage),
    )


def calibrate(
    table: LatencyTable, genotypes: Sequence[Genotype], measured_us: np.ndarray
) -> LatencyTable:
    """The table with a calibration by these networks.

    τ is the one of `TAUS` with the least error left, each network predicted by a
    fit to all the others.

    Args:
        table: its medians are the prior; any calibration it has is replaced.
        genotypes: the networks.
        measured_us: (N,) their latencies.
    """
    table = dataclasses.replace(table, calibration=None)
    found = design(table, genotypes)
    fits = {tau: fit(found, measured_us, tau) for tau in TAUS}
    tau = min(TAUS, key=lambda tau: np.square(fits[tau].left_out).mean())
    final = fits[tau]
    costs = CostModel(table, table.skeleton, table.input_size)
    before_us = np.array([costs.predicted_latency(genotype) for genotype in genotypes])
    return dataclasses.replace(
        table,
        calibration=Calibration(
            times_us={
                key: round(float(us), 3) for key, us in zip(found.keys, final.times_us)
            },
            constant_us=round(final.constant_us, 3),
            scale=round(final.scale, 4),
            sigma=SIGMA,
            tau=tau,
            networks={
                name_of(genotype): round(float(us), 3)
                for genotype, us in zip(genotypes, measured_us)
            },
            error_before=_error(before_us / measured_us - 1.0),
            error_after=_error(final.left_out),
        ),
    )


def d_optimal_subset(
    table: LatencyTable, pool: Sequence[Genotype], count: int
) -> list[Genotype]:
    """The networks that tell most about a table's times.

    Goes through the range of latencies in `STRATA` steps, over and over, and
    takes from each the network whose latency is least certain given those taken
    before (Bayesian D-optimal design).
    """
    found = design(dataclasses.replace(table, calibration=None), pool)
    parts = found.counts * found.prior_us
    total_us = parts.sum(1)
    rows = parts / total_us[:, None]
    low, high = np.percentile(total_us, (0.5, 99.5))
    stratum = np.digitize(total_us, np.linspace(low, high, STRATA + 1)[1:-1])
    covariance = _prior(found.kinds, TAUS[len(TAUS) // 2])
    left = np.ones(len(pool), bool)
    chosen: list[int] = []
    turn = 0
    while len(chosen) < min(count, len(pool)):
        candidates = np.flatnonzero(left & (stratum == turn % STRATA))
        turn += 1
        if not len(candidates):
            continue
        spread = np.einsum("nw,nw->n", rows[candidates] @ covariance, rows[candidates])
        best = int(candidates[spread.argmax()])
        gain = covariance @ rows[best]
        covariance = covariance - np.outer(gain, gain) / (spread.max() + SIGMA**2)
        left[best] = False
        chosen.append(best)
    return [pool[index] for index in chosen]


def _prior(kinds, tau):
    shared = kinds[:, None] == kinds[None, :]
    return tau**2 * (0.5 * shared + 0.5 * np.eye(len(kinds)))


def _error(relative):
    return round(float(np.median(np.abs(relative))), 4)
