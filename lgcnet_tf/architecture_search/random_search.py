"""Random search: the baseline that draws a network instead of training one.

Without a latency band every edge's operation is drawn uniformly (Table VII,
setting a). With a band the draw is the uniform one, conditioned on the band: all
networks whose predicted latency lies in it are equally likely, as far as a
finite sample can tell (`draw_genotype`).
"""

import numpy as np

from lgcnet_tf.errors import InputError
from lgcnet_tf.latency.estimate import CostModel
from lgcnet_tf.space.genotype import Genotype, random_genotype
from lgcnet_tf.space.pruning import live_parts

CANDIDATES = 64
"""Networks in the band of which one is picked."""

MAX_DRAWS = 60_000
_BATCH = 2_000
_PILOT = 400


def draw_genotype(
    cost_model: CostModel,
    generator: np.random.Generator,
    min_us: float = 0.0,
    max_us: float = np.inf,
) -> tuple[Genotype, int]:
    """Draws a network that has a path from image to output, in a latency band.

    In a band that uniform draws would rarely hit, every edge is drawn from
    softmax(-β · latency of the operation), with β such that the mean of the
    predicted latencies is at the band's nearest bound. A network's probability
    is then proportional to exp(-β · S), S the sum over its edges, so one of the
    `CANDIDATES` networks that hit the band is picked with the weight
    exp(β · S): that takes the preference for fast or slow ones off again.

    Args:
        cost_model: gives the predicted latencies.
        generator: source of randomness.
        min_us, max_us: limits of the predicted latency in µs, inclusive.

    Returns:
        The genotype, and how many networks were drawn for it.

    Raises:
        InputError: the band is out of reach, or was never hit.
    """
    if min_us <= 0.0 and np.isinf(max_us):
        for draws in range(1, MAX_DRAWS + 1):
            genotype = random_genotype(cost_model.skeleton, generator)
            if genotype.has_path:
                return genotype, draws
        raise InputError(f"random search: no network with a path in {draws} draws.")
    draw = LatencyTiltedSampler(cost_model)
    beta = draw.temperature_for(min_us, max_us, generator)
    found, weights, draws = [], [], 0
    while draws < MAX_DRAWS and len(found) < CANDIDATES:
        chosen, sums, latency = draw(beta, _BATCH, generator)
        inside = np.flatnonzero((latency >= min_us) & (latency <= max_us))
        found += list(chosen[inside])
        weights += list(beta * sums[inside])
        draws += _BATCH
    if not found:
        draw.widen_range(generator)
        raise InputError(
            "random search: found no network with a predicted latency in "
            f"{_milliseconds(min_us, max_us)}; the reachable range is about "
            f"{_milliseconds(*draw.seen)}."
        )
    weights = np.exp(np.array(weights) - max(weights))
    pick = generator.choice(len(found), p=weights / weights.sum())
    return draw.genotype(found[pick]), draws


class LatencyTiltedSampler:
    """Draws networks from softmax(-β · latency) on every edge.

    Edges of the fusion cell that share work (`EdgeGroup`) are drawn together.

    Attributes:
        places: (candidates,) µs of what can be drawn at each place: an operation
            on each of the cells' edges in order, then a choice for each group.
        seen: smallest and largest predicted latency so far, µs.
    """

    def __init__(self, cost_model: CostModel):
        self.cost_model = cost_model
        self.skeleton = cost_model.skeleton
        cells = cost_model.costs[: self.skeleton.cell_edges]
        self.places = [
            *cells[:, : len(self.skeleton.cell_operations)],
            *(group.choices_by_cost[1] for group in cost_model.groups),
        ]
        self.seen = (np.inf, -np.inf)
        self._spread = np.sqrt(sum(costs.var() for costs in self.places))

    def __call__(self, beta: float, count: int, generator: np.random.Generator):
        """Choices (count, places), sums of their µs (count,) and predicted
        latencies (count,) in µs, NaN for a network without a path.
        """
        chosen = np.empty((count, len(self.places)), int)
        sums = np.zeros(count)
        for index, costs in enumerate(self.places):
            logits = -beta * costs
            steps = np.cumsum(np.exp(logits - logits.max()))
            points = generator.random(count) * steps[-1]
            picks = np.searchsorted(steps, points, "right")
            chosen[:, index] = np.minimum(picks, len(costs) - 1)
            sums += costs[chosen[:, index]]
        choices = self._choices(chosen)
        latency = self.cost_model.predicted_latencies(choices)
        latency[~live_parts(self.skeleton, choices).has_path] = np.nan
        if not np.isnan(latency).all():
            self.seen = (
                min(self.seen[0], np.nanmin(latency)),
                max(self.seen[1], np.nanmax(latency)),
            )
        return chosen, sums, latency

    def temperature_for(self, min_us, max_us, generator) -> float:
        """β in 1/µs at which the mean latency is in the band, 0 if it already is."""
        seed = generator.integers(2**63)

        def mean(beta):
            # The same numbers for every β, so that it falls as β grows.
            latency = self(beta, _PILOT, np.random.default_rng(seed))[2]
            # So strongly tilted that `none` is everywhere: lower than anything.
            return -np.inf if np.isnan(latency).all() else np.nanmean(latency)

        middle = mean(0.0)
        target = min(max(middle, min_us), max_us)
        if target == middle:
            return 0.0
        low, high = (-1.0, 0.0) if target > middle else (0.0, 1.0)
        low, high = 100.0 * low / self._spread, 100.0 * high / self._spread
        for _ in range(25):
            beta = (low + high) / 2
            low, high = (beta, high) if mean(beta) > target else (low, beta)
        return low if target < middle else high

    def widen_range(self, generator) -> None:
        """Widens `seen` to about what the space has."""
        for beta in np.outer((-1.0, 1.0), (1.0, 3.0, 10.0, 30.0)).ravel():
            self(beta / self._spread, _BATCH, generator)

    def genotype(self, chosen: np.ndarray) -> Genotype:
        """The network of one row of choices."""
        return Genotype.at(self.skeleton, self._choices(chosen))

    def _choices(self, chosen: np.ndarray) -> np.ndarray:
        """(..., places) → (..., E), the edges of a group each by itself."""
        found = np.zeros((*chosen.shape[:-1], len(self.skeleton.edges)), int)
        cells = self.skeleton.cell_edges
        found[..., :cells] = chosen[..., :cells]
        for group, choice in zip(
            self.cost_model.groups, np.moveaxis(chosen[..., cells:], -1, 0)
        ):
            found[..., group.edge_indices] = group.choices_by_cost[0][choice]
        return found


def _milliseconds(low_us: float, high_us: float) -> str:
    if np.isinf(high_us):
        return f"{low_us / 1000:.4g} ms and more"
    return f"{low_us / 1000:.4g}..{high_us / 1000:.4g} ms"
