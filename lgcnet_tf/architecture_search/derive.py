"""Deriving a network whose predicted latency has to meet a target.

An edge is a large quantum of latency, so that the argmax of α' may miss the
target by more than is allowed, however well λ was steered. Then the edges about
which the search is least sure give way.
"""

import dataclasses
import itertools
from collections.abc import Sequence

import numpy as np
from keras import ops

from lgcnet_tf.architecture_search.architecture import Architecture
from lgcnet_tf.architecture_search.latency_target import TOLERANCE
from lgcnet_tf.latency.estimate import CostModel
from lgcnet_tf.space.genotype import Genotype
from lgcnet_tf.space.pruning import live_parts
from lgcnet_tf.space.skeleton import Skeleton

MAX_PAIRED_CHANGES = 100
"""Of so many single changes all pairs are tried."""


@dataclasses.dataclass(frozen=True)
class _Change:
    """Another operation on edges that are alike."""

    edges: tuple[int, ...]  # of `Skeleton.edges`
    operation: int
    loss: float  # of log-probability


class TargetedDerivation:
    """The argmax of α', or what is close to it and meets the target.

    Args:
        cost_model: predicts.
        kinds: for each of the K cells which cells share its operations.
        target_us: the prediction wanted.
        tolerance: how far it may be missed, a fraction of it.
    """

    def __init__(
        self,
        cost_model: CostModel,
        kinds: Sequence[int],
        target_us: float,
        tolerance: float = TOLERANCE,
    ):
        self.cost_model = cost_model
        self.alike = _alike(cost_model.skeleton, kinds)
        self.target_us = target_us
        self.allowed_us = tolerance * target_us

    def __call__(self, alpha: np.ndarray) -> tuple[np.ndarray, int]:
        """Derives.

        One change that is enough is made, of several the one that loses least
        log-probability. Else two that are enough; else the one that loses least
        per ms it comes nearer, and the same again from there.

        Args:
            alpha: α' of every edge, (E, C), see `Architecture.updated`.

        Returns:
            The choice, (E,) ints, and on how many edges it is not the argmax; where cells
            are shared, an edge of all cells of a kind counts once. It is outside
            of the tolerance if no single change came nearer from where it stands
            and no two were enough.
        """
        argmax = choice = alpha.argmax(-1)
        log_p = _log_softmax(alpha)
        while self._misses(choice, [()])[0] > self.allowed_us:
            made = self._next(choice, list(self._changes(choice, log_p)))
            if not made:
                break
            choice = self._applied(choice, made)
        first = [edges[0] for edges in self.alike]
        return choice, int((choice != argmax)[first].sum())

    def _next(self, choice, changes):
        """The changes to make now, none if no change comes nearer."""
        singles = [(change,) for change in changes]
        losses = np.array([change.loss for change in changes])
        misses = self._misses(choice, singles)
        if (misses <= self.allowed_us).any():
            return singles[_least(losses, misses <= self.allowed_us)]
        now = self._misses(choice, [()])[0]
        nearer = misses < now
        price = np.full(len(changes), np.inf)
        price[nearer] = losses[nearer]
        worth_pairs = True
        if np.isfinite(now):
            price[nearer] /= now - misses[nearer]
            farthest = np.sort(now - misses)[-2:].sum()
            worth_pairs = farthest >= now - self.allowed_us or not nearer.any()
        near = [
            changes[i] for i in np.argsort(price, kind="stable")[:MAX_PAIRED_CHANGES]
        ]
        pairs = [p for p in itertools.combinations(near, 2) if p[0].edges != p[1].edges]
        if pairs and worth_pairs:
            enough = self._misses(choice, pairs) <= self.allowed_us
            if enough.any():
                losses = np.array([one.loss + two.loss for one, two in pairs])
                return pairs[_least(losses, enough)]
        return singles[_least(price, nearer)] if nearer.any() else ()

    def _changes(self, choice, log_p):
        skeleton = self.cost_model.skeleton
        for edges in self.alike:
            edge, chosen = skeleton.edges[edges[0]], choice[edges[0]]
            if edge.cell is not None and edge.cell > skeleton.last_cell:
                continue  # nothing reads it
            for operation in range(len(edge.candidates)):
                if operation != chosen:
                    loss = log_p[edges[0], chosen] - log_p[edges[0], operation]
                    yield _Change(edges, operation, float(loss))

    def _applied(self, choice, changes):
        found = choice.copy()
        for change in changes:
            found[[*change.edges]] = change.operation
        return found

    def _misses(self, choice, combinations):
        """µs from the target after each of the combinations; inf without a path."""
        choices = np.stack([self._applied(choice, each) for each in combinations])
        latency = self.cost_model.predicted_latencies(choices)
        live = live_parts(self.cost_model.skeleton, choices)
        return np.where(live.has_path, np.abs(latency - self.target_us), np.inf)


def _alike(skeleton: Skeleton, kinds: Sequence[int]) -> list[tuple[int, ...]]:
    """The edges that have one operation together: of all cells of a kind.

    By kind and place, then each of the fusion cell's edges alone.
    """
    groups: dict[tuple[bool, int, int], list[int]] = {}
    for index, edge in enumerate(skeleton.edges):
        fused = edge.cell is None
        kind = 0 if edge.cell is None else kinds[edge.cell]
        groups.setdefault((fused, kind, edge.place), []).append(index)
    return [tuple(groups[key]) for key in sorted(groups)]


def derive_for_target(
    architecture: Architecture, cost_model: CostModel, target_us: float
) -> tuple[Genotype, int]:
    """A search's network for its target, and how many edges were changed for it."""
    alpha = ops.convert_to_numpy(architecture.updated())
    derivation = TargetedDerivation(
        cost_model, architecture.communication.kinds, target_us
    )
    choice, changed = derivation(alpha)
    return Genotype.at(architecture.skeleton, choice), changed


def _least(figures, where):
    return int(np.argmin(np.where(where, figures, np.inf)))


def _log_softmax(logits):
    logits = np.asarray(logits, "float64")
    logits = logits - logits.max(-1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(-1, keepdims=True))
