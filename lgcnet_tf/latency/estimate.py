"""From a table to a network's latency and the loss made of it (Eq. 8-10)."""

import dataclasses
import functools
import itertools
from typing import Any

import numpy as np
from keras import ops

from lgcnet_tf.errors import InputError
from lgcnet_tf.latency.settings import FORMS, LATENCY_WEIGHT
from lgcnet_tf.latency.table import LatencyTable
from lgcnet_tf.space.genotype import Genotype
from lgcnet_tf.space.operations import operation
from lgcnet_tf.space.skeleton import Size, Skeleton
from lgcnet_tf.space.workloads import Workload, workloads


class CostModel:
    """What the networks of a search space take, by a table.

    The search differentiates `expected_latency` (Eq. 8, 9): it adds up every
    edge and every fixed part, for in a mixture nothing is dead. It is linear in
    the weights Z but for edges of the fusion cell that share work (`EdgeGroup`),
    which the paper does not have. `predicted_latency` is a derived network's, of
    what pruning leaves of it: counts of workloads times their times, plus a constant.
    Both are the same number for a genotype in
    which nothing is dead; with dead parts the prediction is smaller. What the
    fusion cell makes of empty taps alone is constant and counts as dead.

    Args:
        table: times of the workloads; must belong to the search space.
        skeleton, input_size: the search space.

    Attributes:
        work: the workloads, which count what networks do.
        times: (W,) µs of `Workloads.columns`.
        constant: µs of the call itself, by the calibration.
        costs: (E, C) µs of each candidate of each edge of `Skeleton.edges`; 0 past an
            edge's candidates and in the cells that nothing reads.
        cells: (K', 5, 8) µs of it; K' counts the cells up to `skeleton.last_cell`.
        inputs: (K', 2) µs of bringing s0 and s1 to each cell's size and width.
        taps: for each tap µs of bringing it to the fusion cell's width.
        groups: the edges of the fusion cell, by what they have in common.
        unavoidable_us: what every network does: stem, resize, argmax, the call itself.
        unpruned_us: what every network of which nothing is dead does besides its
            edges; `inputs` and `taps` included.

    Raises:
        InputError: the table is one of another search space or input size.
    """

    def __init__(self, table: LatencyTable, skeleton: Skeleton, input_size: Size):
        table.check(skeleton, input_size)
        work = workloads(skeleton, input_size)
        self.skeleton = skeleton
        self.work = work
        self.times = np.array([_time(table, w) for w in work.columns])
        self.constant = table.calibration.constant_us if table.calibration else 0.0
        self.costs = np.append(self.times, 0.0)[work.edge_columns]  # 0 where none is
        self.cells = skeleton.of_cells(self.costs)[: skeleton.last_cell + 1]
        self.inputs = np.array(
            [[sum(table[w] for w in source) for source in cell] for cell in work.inputs]
        )
        self.taps = tuple(sum(table[w] for w in tap) for tap in work.taps)
        self.groups = _groups(skeleton, self.costs)
        unavoidable = sum(table[w] for w in (*work.stem, *work.head))
        self.unavoidable_us = unavoidable + self.times[-1] + self.constant
        self.unpruned_us = float(
            self.unavoidable_us + self.inputs.sum() + sum(self.taps)
        )

    def expected_latency(self, weights: Any):
        """Σ Z · lat + `unpruned_us` (Eq. 8 and 9), differentiable in Z.

        Args:
            weights: Z of every edge of `Skeleton.edges`, (E, C).

        Returns:
            Scalar tensor, µs, float32; see `EdgeGroup`.
        """
        weights = ops.cast(weights, "float32")
        count = self.skeleton.cell_edges
        costs = ops.cast(self.costs[:count], "float32")
        latency = ops.sum(weights[:count] * costs)
        for group in self.groups:
            latency = latency + group.expected(weights)
        return latency + self.unpruned_us

    def predicted_latency(self, genotype: Genotype) -> float:
        """Latency in µs of the network that `Network` builds of `genotype`.

        The sum of the table's times over what is built. Left out are edges
        that carry nothing, cells that nothing reads, inputs that no live edge
        of theirs reads, empty taps, and what stems from them alone. An input
        that lost one of its two nodes counts in full: the table has no narrower
        ones.

        Raises:
            InputError: the genotype belongs to another skeleton.
        """
        if genotype.skeleton != self.skeleton:
            raise InputError(
                "latency: the genotype belongs to another skeleton than the table; "
                "give the table that it was searched with."
            )
        return float(self.predicted_latencies(genotype.choice))

    def predicted_latencies(self, choices: np.ndarray) -> np.ndarray:
        """`predicted_latency` of many networks at once.

        Args:
            choices: (..., E) ints, places among the candidates of `Skeleton.edges`.

        Returns:
            (...,) µs.
        """
        # Summed along each row, a network's sum does not depend on the others.
        return (self.work.counts(choices) * self.times).sum(-1) + self.constant


def prediction(
    genotype: Genotype,
    cost_model: CostModel,
    table: LatencyTable,
    target_ms: float = 0.0,
) -> dict[str, Any]:
    """What a genotype's provenance says of its latency and of what that was to be.

    Args:
        genotype: of the cost model's space.
        cost_model: made of the table.
        table: names itself, and its batch size where that is not 1.
        target_ms: 0 where there was none.
    """
    found = {
        "latency_table": table.table_id,
        "predicted_latency_ms": cost_model.predicted_latency(genotype) / 1000.0,
    }
    if table.batch_size != 1:
        found["latency_batch_size"] = table.batch_size
    if target_ms:
        found["target_latency_ms"] = target_ms
    return found


@dataclasses.dataclass(frozen=True)
class EdgeGroup:
    """Edges of the fusion cell whose common operations are done once.

    A deployed network merges equal operations of a group (`FusionTable.groups`),
    all but separable convolutions. With Z, the chance that an operation is chosen
    on an edge, the chance that it is done at all is 1 - Π (1 - Z) over the edges,
    which is what it costs in expectation; of a single edge that is Z.

    Attributes:
        edge_indices: places of the edges in `Skeleton.edges`.
        costs: (candidates,) µs.
        merged: (candidates,) bool, what is done once.
    """

    edge_indices: tuple[int, ...]
    costs: np.ndarray
    merged: np.ndarray

    def expected(self, weights):
        """Expected µs, a scalar tensor, of Z, (E, C) float32."""
        z = ops.stack([weights[i, : len(self.costs)] for i in self.edge_indices])
        once = 1.0 - ops.prod(1.0 - z, axis=0)
        done = ops.where(self.merged, once, ops.sum(z, axis=0))
        return ops.sum(done * ops.cast(self.costs, "float32"))

    def cost_of(self, chosen: np.ndarray) -> np.ndarray:
        """(...,) µs of choices, (..., edges) ints, places among the candidates."""
        count = (chosen[..., None] == np.arange(len(self.costs))).sum(-2)
        return (np.where(self.merged, count > 0, count) * self.costs).sum(-1)

    @functools.cached_property
    def choices_by_cost(self) -> tuple[np.ndarray, np.ndarray]:
        """All choices, (N, edges) ints, fastest first, and (N,) µs of each."""
        candidates = range(len(self.costs))
        choices = np.array(
            [*itertools.product(candidates, repeat=len(self.edge_indices))]
        )
        costs = self.cost_of(choices)
        order = costs.argsort(kind="stable")
        return choices[order], costs[order]


def _time(table: LatencyTable, work: Workload) -> float:
    """µs of a workload; a table measured without the argmax knows nothing of it."""
    unknown = work.operation == "argmax" and work.key not in table.entries
    return 0.0 if unknown else table[work]


def _groups(skeleton: Skeleton, costs: np.ndarray) -> tuple[EdgeGroup, ...]:
    if not skeleton.fusion_cell:
        return ()
    places = {
        edge: skeleton.cell_edges + place
        for place, edge in enumerate(skeleton.fusion_cell.edges)
    }
    groups = []
    for edges in skeleton.fusion_cell.groups:
        names = skeleton.fusion_candidates(edges[0].up)
        groups.append(
            EdgeGroup(
                edge_indices=tuple(places[edge] for edge in edges),
                costs=costs[places[edges[0]], : len(names)],
                merged=np.array([operation(name).mergeable for name in names]),
            )
        )
    return tuple(groups)


def one_hot_weights(genotype: Genotype) -> np.ndarray:
    """Z of a genotype: 1 at its operations, 0 elsewhere; (E, C) float32."""
    mask = genotype.skeleton.candidate_mask
    return (np.arange(mask.shape[1]) == genotype.choice[:, None]).astype("float32")


class LatencyLoss:
    """The latency's part of the loss.

    The form of Eq. 10 is lost in the paper's text; what stands around it (LAT
    in µs, λ = 0.005) fits the logarithm, as in FBNet.

    Args:
        weight: λ, a number or a scalar variable.
        form: `"log"`, λ · log(LAT in µs), or `"linear"`, λ · LAT in ms.
        target_us: what LAT shall be, if λ is the multiplier of that constraint;
            the loss is then 0 at the target, with the same gradient.

    Raises:
        InputError: there is no such form.
    """

    def __init__(
        self, weight=LATENCY_WEIGHT, form: str = "log", target_us: float | None = None
    ):
        if form not in FORMS:
            raise InputError(
                f"latency loss: form must be one of {', '.join(FORMS)}. "
                f"Received: {form!r}"
            )
        self.weight = weight
        self.form = form
        self.target_us = target_us

    def __call__(self, latency_us):
        """Scalar loss of a latency in µs."""
        if self.form == "log":
            return self.weight * ops.log(latency_us / (self.target_us or 1.0))
        return self.weight * (latency_us - (self.target_us or 0.0)) / 1000.0
