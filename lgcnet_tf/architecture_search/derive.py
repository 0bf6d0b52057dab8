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
from lgcnet_tf.space.genotype import Genotype, genotype_at
from lgcnet_tf.space.pruning import liveness_of

PAIRED = 100
"""Of so many single changes all pairs are tried."""


@dataclasses.dataclass(frozen=True)
class Choice:
    """An operation on every edge.

    Attributes:
        cells: (K, 5) ints, places in `Skeleton.cell_operations`.
        fusion: (edges,) ints, places in `fusion_candidates`.
    """

    cells: np.ndarray
    fusion: np.ndarray


@dataclasses.dataclass(frozen=True)
class _Change:
    """Another operation on an edge of all cells of a kind, or of the fusion cell."""

    kind: int | None
    edge: int
    operation: int
    loss: float  # of log-probability

    @property
    def place(self):
        return self.kind, self.edge


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
        self.kinds = np.array(kinds)
        self.target_us = target_us
        self.allowed_us = tolerance * target_us

    def __call__(
        self, cells: np.ndarray, fusion: Sequence[np.ndarray]
    ) -> tuple[Choice, int]:
        """Derives.

        One change that is enough is made, of several the one that loses least
        log-probability. Else two that are enough; else the one that loses least
        per ms it comes nearer, and the same again from there.

        Args:
            cells: α' of the cells, (K, 5, 8).
            fusion: α' of each edge of the fusion cell, (candidates,).

        Returns:
            The choice, and on how many edges it is not the argmax; where cells
            are shared, an edge of all cells of a kind counts once. It is outside
            of the tolerance if no single change came nearer from where it stands
            and no two were enough.
        """
        argmax = choice = Choice(
            cells.argmax(-1), np.array([logits.argmax() for logits in fusion], int)
        )
        logs = _log_softmax(cells), [_log_softmax(logits) for logits in fusion]
        while self._misses(choice, [()])[0] > self.allowed_us:
            made = self._next(choice, list(self._changes(choice, *logs)))
            if not made:
                break
            choice = self._applied(choice, made)
        _, first = np.unique(self.kinds, return_index=True)
        changed = (choice.cells != argmax.cells)[first].sum()
        return choice, int(changed + (choice.fusion != argmax.fusion).sum())

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
        near = [changes[i] for i in np.argsort(price, kind="stable")[:PAIRED]]
        pairs = [p for p in itertools.combinations(near, 2) if p[0].place != p[1].place]
        if pairs and worth_pairs:
            enough = self._misses(choice, pairs) <= self.allowed_us
            if enough.any():
                losses = np.array([one.loss + two.loss for one, two in pairs])
                return pairs[_least(losses, enough)]
        return singles[_least(price, nearer)] if nearer.any() else ()

    def _changes(self, choice, log_cells, log_fusion):
        read = self.kinds[: self.cost_model.skeleton.last_cell + 1]
        for kind in np.unique(read):
            cell = int(np.argmax(self.kinds == kind))
            for edge, log_p in enumerate(log_cells[cell]):
                yield from _others(int(kind), edge, choice.cells[cell, edge], log_p)
        for edge, log_p in enumerate(log_fusion):
            yield from _others(None, edge, choice.fusion[edge], log_p)

    def _applied(self, choice, changes):
        cells, fusion = choice.cells.copy(), choice.fusion.copy()
        for change in changes:
            if change.kind is None:
                fusion[change.edge] = change.operation
            else:
                cells[self.kinds == change.kind, change.edge] = change.operation
        return Choice(cells, fusion)

    def _misses(self, choice, combinations):
        """µs from the target after each of the combinations; inf without a path."""
        found = [self._applied(choice, changes) for changes in combinations]
        cells = np.stack([one.cells for one in found])
        latency = self.cost_model.predicted_latencies(
            cells, np.stack([one.fusion for one in found])
        )
        skeleton = self.cost_model.skeleton
        live = liveness_of(skeleton, skeleton.cell_carries[cells])
        return np.where(live.has_path, np.abs(latency - self.target_us), np.inf)


def derive_for_target(
    architecture: Architecture, cost_model: CostModel, target_us: float
) -> tuple[Genotype, int]:
    """A search's network for its target, and how many edges were changed for it."""
    alpha = {n: ops.convert_to_numpy(a) for n, a in architecture.updated().items()}
    derivation = TargetedDerivation(
        cost_model, architecture.communication.kinds, target_us
    )
    choice, changed = derivation(alpha["cells"], architecture.in_order(alpha))
    return genotype_at(architecture.skeleton, choice.cells, choice.fusion), changed


def _others(kind, edge, chosen, log_p):
    for operation, log_probability in enumerate(log_p):
        if operation != chosen:
            loss = float(log_p[chosen] - log_probability)
            yield _Change(kind, edge, operation, loss)


def _least(figures, where):
    return int(np.argmin(np.where(where, figures, np.inf)))


def _log_softmax(logits):
    logits = np.asarray(logits, "float64")
    logits = logits - logits.max(-1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(-1, keepdims=True))
