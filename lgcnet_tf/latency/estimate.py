"""From a table to a network's latency and the loss made of it (Eq. 8-10)."""

from typing import Any

import numpy as np
from keras import ops

from lgcnet_tf.errors import InputError
from lgcnet_tf.latency.table import LatencyTable
from lgcnet_tf.space.genotype import Genotype, fusion_candidates
from lgcnet_tf.space.operations import CELL_OPERATIONS
from lgcnet_tf.space.skeleton import Size, Skeleton
from lgcnet_tf.space.workloads import workloads

LATENCY_WEIGHT = 0.005
"""λ of the paper."""

FORMS = ("log", "linear")


class CostModel:
    """Latency as a linear function of the weights Z on the edges (Eq. 8, 9).

    One function serves search and final network: the derived network's
    prediction is the expected latency at one-hot weights. It adds up every
    edge, also those that pruning leaves out because nothing reads them.

    Args:
        table: times of the workloads; must belong to the search space.
        skeleton, input_size: the search space.

    Attributes:
        cells: (K', 5, 8) µs of each candidate of each edge; K' counts the cells
            up to `skeleton.last_cell`, those after it cost nothing.
        fusion: for each edge of the fusion cell (candidates,) µs.
        fixed: µs of what every network of the space does.

    Raises:
        InputError: the table is one of another search space or input size.
    """

    def __init__(self, table: LatencyTable, skeleton: Skeleton, input_size: Size):
        table.check(skeleton, input_size)
        work = workloads(skeleton, input_size)
        self.skeleton = skeleton
        self.cells = np.array(
            [[[table[w] for w in edge] for edge in cell] for cell in work.cells]
        )
        self.fusion = {
            name: np.array([table[w] for w in edge])
            for name, edge in work.fusion.items()
        }
        self.fixed = float(sum(table[w] for w in work.fixed))

    def expected_latency(self, weights: dict[str, Any]):
        """Σ Z · lat + fixed (Eq. 8 and 9), differentiable in Z.

        Args:
            weights: `"cells"`, (K, 5, 8), and `"fusion"`, a dict of the edges'
                names to (candidates,), empty or left out without a fusion cell.

        Returns:
            Scalar tensor, µs, float32.
        """
        cells = ops.cast(weights["cells"], "float32")[: len(self.cells)]
        latency = ops.sum(cells * ops.cast(self.cells, "float32"))
        for name, costs in self.fusion.items():
            edge = ops.cast(weights["fusion"][name], "float32")
            latency = latency + ops.sum(edge * ops.cast(costs, "float32"))
        return latency + self.fixed

    def predicted_latency(self, genotype: Genotype) -> float:
        """A derived network's latency in µs: `expected_latency` at its one-hot Z.

        Raises:
            InputError: the genotype belongs to another skeleton.
        """
        if genotype.skeleton != self.skeleton:
            raise InputError(
                "latency: the genotype belongs to another skeleton than the table."
            )
        return float(self.expected_latency(one_hot_weights(genotype)))


def one_hot_weights(genotype: Genotype) -> dict[str, Any]:
    """Z of a genotype: 1 at its operations, 0 elsewhere.

    Returns:
        `"cells"`, (K, 5, 8) float32, and `"fusion"`, a dict of the edges' names
        to (candidates,) float32.
    """

    def one_hot(candidates, operation):
        return np.array([name == operation for name in candidates], "float32")

    cells = [[one_hot(CELL_OPERATIONS, op) for op in cell] for cell in genotype.cells]
    candidates = fusion_candidates(genotype.skeleton)
    fusion = {e: one_hot(names, genotype.fusion[e]) for e, names in candidates.items()}
    return {"cells": np.array(cells), "fusion": fusion}


class LatencyLoss:
    """The latency's part of the loss.

    The form of Eq. 10 is lost in the paper's text; what stands around it (LAT
    in µs, λ = 0.005) fits the logarithm, as in FBNet.

    Args:
        weight: λ, a number or a scalar variable.
        form: `"log"`, λ · log(LAT in µs), or `"linear"`, λ · LAT in ms.

    Raises:
        InputError: there is no such form.
    """

    def __init__(self, weight=LATENCY_WEIGHT, form: str = "log"):
        if form not in FORMS:
            raise InputError(
                f"latency loss: form must be one of {', '.join(FORMS)}. "
                f"Received: {form!r}"
            )
        self.weight = weight
        self.form = form

    def __call__(self, latency_us):
        """Scalar loss of a latency in µs."""
        if self.form == "log":
            return self.weight * ops.log(latency_us)
        return self.weight * latency_us / 1000.0
