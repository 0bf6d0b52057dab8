"""Steering λ, so that the derived network's predicted latency meets a target.

The search then minimises the cross-entropy subject to LAT = target. λ is the
constraint's multiplier; it climbs while the network is too slow and falls while
it is too fast, below zero too, and a term in proportion to the error damps the
swings (differential multiplier method, Platt and Barr 1988). LAT is what the
argmax of α' predicts, pruned of what is dead: not the mixture's expectation,
which may be far from it.
"""

import itertools
import math
from collections.abc import Sequence

import numpy as np

from lgcnet_tf.architecture_search.search_model import SearchModel
from lgcnet_tf.errors import InputError
from lgcnet_tf.latency.estimate import CostModel
from lgcnet_tf.space.cells import CELL_EDGES
from lgcnet_tf.space.pruning import fusion_liveness, live_parts

TOLERANCE = 0.05
"""How far from the target the derived network's prediction may lie."""

RATE = 300.0
"""What the multiplier gains over a whole search at an error of one e-fold."""

DAMPING = 100.0
"""What λ has besides, at an error of one e-fold."""

LARGEST_ERROR = 0.5
"""In e-folds; a network that falls apart must not throw λ far off."""


class LatencyTarget:
    """λ from step to step; holds no state, so that a resumed run goes on alike.

    Cross-entropy (nats) and log LAT have no units and the rate is shared out
    over the steps, so the gains fit any data set, table and schedule.

    Args:
        target_us: what the derived network's prediction shall be.
        steps: steps in the whole search.
        form: of the latency loss; for `"linear"`, λ is per ms, so that the
            multiplier is divided by the target.
    """

    def __init__(self, target_us: float, steps: int, form: str = "log"):
        self.target_us = target_us
        self.steps = steps
        self.scale = 1.0 if form == "log" else 1000.0 / target_us

    def start(self, weight: float) -> float:
        """The multiplier at which λ is `weight` while the error is 0."""
        return weight / self.scale

    def step(self, multiplier: float, latency_us: float) -> tuple[float, float]:
        """Called once after each step.

        Args:
            multiplier: what the last call returned, first `start`.
            latency_us: the derived network's prediction now.

        Returns:
            The multiplier, and λ.
        """
        error = math.log(latency_us / self.target_us)
        error = min(max(error, -LARGEST_ERROR), LARGEST_ERROR)
        multiplier = multiplier + RATE / self.steps * error
        return multiplier, self.scale * (multiplier + DAMPING * error)


def steer(model: SearchModel, target: LatencyTarget) -> None:
    """Sets the model's λ after a training step, outside of the graph."""
    if hasattr(model, "jax_state_sync"):  # during an epoch JAX' state is elsewhere
        model.jax_state_sync()
    choice = model.architecture.latest_choice()
    latency_us = float(model.cost_model.predicted_latencies(choice))
    multiplier, weight = target.step(_number(model.latency_multiplier), latency_us)
    model.latency_multiplier.assign(multiplier)
    model.latency_weight.assign(weight)


def check_reachable(
    target_us: float, cost_model: CostModel, kinds: Sequence[int]
) -> None:
    """Refuses a target that no network of the space comes near.

    Args:
        kinds: see `latency_range`.

    Raises:
        InputError: names the range.
    """
    fastest, slowest = latency_range(cost_model, kinds)
    if not fastest <= target_us * (1 + TOLERANCE) or not (
        target_us * (1 - TOLERANCE) <= slowest
    ):
        raise InputError(
            f"--target_latency_ms={target_us / 1000:.4g} is out of reach: by the "
            f"latency table the networks of this space take {fastest / 1000:.4g} to "
            f"{slowest / 1000:.4g} ms."
        )


def latency_range(cost_model: CostModel, kinds: Sequence[int]) -> tuple[float, float]:
    """Predictions of the fastest network that has a path, and of the slowest.

    The slowest has the slowest operation everywhere, and different ones where equal
    ones would be done once. In the fastest nothing
    lives but one way from the stem to one tap: as every edge of a cell's inputs
    leads two or one cells back, one edge a cell is enough.

    Args:
        kinds: for each of the K cells which cells share its operations.

    Returns:
        Both in µs; each is the prediction of some network.
    """
    slowest = cost_model.unpruned_us + sum(
        g.choices_by_cost[1][-1] for g in cost_model.groups
    )
    fastest = cost_model.unpruned_us + sum(
        g.choices_by_cost[1][0] for g in cost_model.groups
    )
    of_kind = np.array(kinds[: len(cost_model.cells)])
    for kind in set(of_kind):
        together = cost_model.cells[of_kind == kind].sum(0)
        slowest += together.max(-1).sum()
        fastest += together.min(-1).sum()
    if cost_model.skeleton.cell_carries.all():  # nothing can be dead
        return float(fastest), float(slowest)
    if len(set(kinds)) < len(kinds):
        return _fastest_of_shared(cost_model, kinds), float(slowest)
    return _fastest_of_independent(cost_model), float(slowest)


def _fastest_of_independent(cost_model):
    taps, carries = cost_model.skeleton.taps, cost_model.skeleton.cell_carries
    ways = [{(): 0.0}] * 2  # to the stem, then to each cell: taps on the way → µs
    for index, (inputs, edges) in enumerate(zip(cost_model.inputs, cost_model.cells)):
        reached = {}
        for source, before in enumerate(ways[-2:]):
            for passed, cost in before.items():
                passed = (*passed, index) if index in taps else passed
                cost += inputs[source] + edges[source, carries].min()
                reached[passed] = min(cost, reached.get(passed, np.inf))
        ways.append(reached)
    return float(
        cost_model.unavoidable_us
        + min(
            cost + _fastest_fusion(cost_model, passed)
            for tap in taps
            for passed, cost in ways[tap + 2].items()
        )
    )


def _fastest_fusion(cost_model, filled):
    """µs of the fusion cell, with what reads the taps, if only `filled` ones are."""
    if not cost_model.groups:
        return 0.0
    filled = np.array([tap in filled for tap in cost_model.skeleton.taps])
    live = fusion_liveness(cost_model.skeleton, filled)
    first = cost_model.skeleton.cell_edges
    fastest = sum(
        group.choices_by_cost[1][0]
        for group in cost_model.groups
        if live[group.edge_indices[0] - first]
    )
    return fastest + filled @ cost_model.taps


def _fastest_of_shared(cost_model, kinds):
    carries = cost_model.skeleton.cell_carries
    empty = np.full(len(CELL_EDGES), carries.argmin())  # `none`
    choices = [empty]
    for source, operation in itertools.product((0, 1), np.flatnonzero(carries)):
        choices.append(empty.copy())
        choices[-1][source] = operation
    names = sorted(set(kinds))
    networks = np.array(
        [
            [choice[names.index(kind)] for kind in kinds]
            for choice in itertools.product(choices, repeat=len(names))
        ]
    )
    skeleton = cost_model.skeleton
    choices = np.zeros((len(networks), len(skeleton.edges)), int)
    skeleton.split(choices)[0][:] = networks
    for group in cost_model.groups:
        choices[:, group.edge_indices] = group.choices_by_cost[0][0]
    live = live_parts(skeleton, choices)
    return float(cost_model.predicted_latencies(choices)[live.has_path].min())


def _number(variable):
    return float(np.asarray(variable))
