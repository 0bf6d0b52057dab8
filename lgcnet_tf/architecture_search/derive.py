"""Deriving a network: the argmax of α', or what is close to it and is a network.

The argmax may let nothing through, where `none` is the largest on too many edges. And
an edge is a large quantum of latency, so that the argmax may miss a target by more than
is allowed, however well λ was steered. In both cases the edges about which the search
is least sure give way.
"""

import dataclasses
import itertools
from collections.abc import Sequence

import numpy as np

from lgcnet_tf.architecture_search.latency_target import TOLERANCE
from lgcnet_tf.latency.estimate import CostModel
from lgcnet_tf.space.genotype import Genotype
from lgcnet_tf.space.pruning import live_parts
from lgcnet_tf.space.skeleton import Skeleton

MAX_PAIRED_CHANGES = 100
"""Of so many single changes all pairs are tried."""

LEAST_LOG_P = -1e3
"""Of what is as good as impossible: losses must be finite to be compared."""


@dataclasses.dataclass(frozen=True)
class _Change:
    """Another operation on edges that are alike."""

    edges: tuple[int, ...]  # of `Skeleton.edges`
    operation: int
    loss: float  # of log-probability


class TargetedDerivation:
    """What is close to the argmax of α' and meets the target.

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
        self.alike = edges_alike(cost_model.skeleton, kinds)
        self.target_us = target_us
        self.allowed_us = tolerance * target_us

    def __call__(self, alpha: np.ndarray) -> tuple[np.ndarray, int]:
        """Derives.

        One change that is enough is made, of several the one that loses least
        log-probability. Else two that are enough; else the one that loses least
        per ms it comes nearer, or two where none does, and the same again from there.

        Args:
            alpha: α' of every edge, (E, C), see `Architecture.updated`.

        Returns:
            The choice, (E,) ints, and on how many edges it is not the argmax; where cells
            are shared, an edge of all cells of a kind counts once. It is outside
            of the tolerance if no change came nearer from where it stands, nor
            two.
        """
        log_p = _log_softmax(alpha)
        choice = _with_a_path(self.cost_model.skeleton, self.alike, log_p)
        while self._misses(choice, [()])[0] > self.allowed_us:
            made = self._next(choice, list(self._changes(choice, log_p)))
            if not made:
                break
            choice = _applied(choice, made)
        return choice, _count_changes(choice, log_p, self.alike)

    def _next(self, choice, changes):
        """The changes to make now, none if no change comes nearer."""
        singles = [(change,) for change in changes]
        losses = np.array([change.loss for change in changes])
        misses = self._misses(choice, singles)
        if (misses <= self.allowed_us).any():
            return singles[_least(losses, misses <= self.allowed_us)]
        now = self._misses(choice, [()])[0]
        better = now * (1 - 1e-9)  # not by rounding
        nearer = misses < better
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
            missed = self._misses(choice, pairs)
            losses = np.array([one.loss + two.loss for one, two in pairs])
            if (missed <= self.allowed_us).any():
                return pairs[_least(losses, missed <= self.allowed_us)]
            if not nearer.any() and (missed < better).any():  # both were dead
                return pairs[_least(losses, missed < better)]
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

    def _misses(self, choice, combinations):
        """µs from the target after each of the combinations; inf without a path."""
        choices = np.stack([_applied(choice, each) for each in combinations])
        latency = self.cost_model.predicted_latencies(choices)
        live = live_parts(self.cost_model.skeleton, choices)
        return np.where(live.has_path, np.abs(latency - self.target_us), np.inf)


def edges_alike(skeleton: Skeleton, kinds: Sequence[int]) -> list[tuple[int, ...]]:
    """The edges that have one operation together: of all cells of a kind.

    By kind and place, then each of the fusion cell's edges alone.
    """
    groups: dict[tuple[bool, int, int], list[int]] = {}
    for index, edge in enumerate(skeleton.edges):
        fused = edge.cell is None
        kind = 0 if edge.cell is None else kinds[edge.cell]
        groups.setdefault((fused, kind, edge.place), []).append(index)
    return [tuple(groups[key]) for key in sorted(groups)]


@dataclasses.dataclass(frozen=True)
class Derived:
    """A search's network.

    Attributes:
        genotype: of the argmax of α', but for the edges changed.
        edges_changed: on how many edges it is not the argmax; where cells are shared, an
            edge of all cells of a kind counts once.
        has_path: whether the argmax by itself lets anything through.
    """

    genotype: Genotype
    edges_changed: int
    has_path: bool


def derive(
    alpha: np.ndarray,
    cost_model: CostModel,
    kinds: Sequence[int],
    target_us: float | None = None,
) -> Derived:
    """Derives a search's network, which always lets something through.

    Args:
        alpha: α' of every edge, (E, C), or the logarithm of its softmax.
        cost_model: predicts.
        kinds: for each of the K cells which cells share its operations.
        target_us: the prediction wanted; None for any.
    """
    skeleton = cost_model.skeleton
    if target_us:
        choice, changed = TargetedDerivation(cost_model, kinds, target_us)(alpha)
    else:
        log_p, alike = _log_softmax(alpha), edges_alike(skeleton, kinds)
        choice = _with_a_path(skeleton, alike, log_p)
        changed = _count_changes(choice, log_p, alike)
    has_path = bool(live_parts(skeleton, alpha.argmax(-1)).has_path)
    return Derived(Genotype.at(skeleton, choice), changed, has_path)


def _with_a_path(skeleton, alike, log_p):
    """The argmax where that lets anything through, else with few edges changed.

    Edges without anything get what carries and is most probable there, surest last,
    until there is a path; then those go back that it does not need.
    """
    choice = log_p.argmax(-1)
    if live_parts(skeleton, choice).has_path:
        return choice
    changes = []
    for edges in alike:
        row, carries = log_p[edges[0]], skeleton.cell_carries
        if edges[0] >= skeleton.cell_edges or carries[row.argmax()]:
            continue  # the fusion cell's candidates all carry
        best = int(np.where(carries, row[: len(carries)], -np.inf).argmax())
        changes.append(_Change(edges, best, float(row.max() - row[best])))
    changes.sort(key=lambda change: change.loss)
    tried = [_applied(choice, changes[: n + 1]) for n in range(len(changes))]
    opened = live_parts(skeleton, np.stack(tried)).has_path
    needed = changes[: int(opened.argmax()) + 1]
    for change in reversed(needed[:-1]):
        rest = [other for other in needed if other is not change]
        if live_parts(skeleton, _applied(choice, rest)).has_path:
            needed = rest
    return _applied(choice, needed)


def _applied(choice, changes):
    changed = choice.copy()
    for change in changes:
        changed[[*change.edges]] = change.operation
    return changed


def _count_changes(choice, log_p, alike):
    first = [edges[0] for edges in alike]
    return int((choice != log_p.argmax(-1))[first].sum())


def _least(figures, where):
    places = np.flatnonzero(where)
    return int(places[np.argmin(figures[places])])


def _log_softmax(logits):
    logits = np.asarray(logits, "float64")
    logits = logits - logits.max(-1, keepdims=True)
    log_p = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    return np.maximum(log_p, LEAST_LOG_P)
