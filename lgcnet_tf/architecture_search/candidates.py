"""Several networks that a search thinks well of, to be compared by training."""

from collections.abc import Sequence

import numpy as np

from lgcnet_tf.architecture_search.derive import Derived, derive, edges_alike
from lgcnet_tf.architecture_search.latency_target import TOLERANCE
from lgcnet_tf.latency.estimate import CostModel

TRIES = 20
"""Draws for each network wanted: most differ, but in a tiny space."""


def draw_candidates(
    alpha: np.ndarray,
    cost_model: CostModel,
    kinds: Sequence[int],
    target_us: float,
    count: int,
    spread: float,
    seed: int = 0,
) -> list[Derived]:
    """The network that is derived of α', and others that are derived of α' with noise.

    The noise is Gumbel's times `spread`: at 1 every choice would be a draw of
    softmax(α') (Eq. 4), at 0 the argmax.

    Args:
        alpha: α' of every edge, (E, C), or the logarithm of its softmax.
        cost_model, kinds, target_us: as for `derive`; all are derived for the target.
        count: how many networks; fewer where the space or the noise gives no more.
        spread: above 0.
        seed: of the noise.

    Returns:
        Different networks, the first without noise; the others meet the target.
    """
    generator = np.random.default_rng(seed)
    groups = edges_alike(cost_model.skeleton, kinds)
    found = {}
    for number in range(1 + (count - 1) * TRIES):
        noisy = alpha
        if number:
            drawn = spread * generator.gumbel(size=(len(groups), alpha.shape[1]))
            noise = np.empty(alpha.shape)
            for edges, row in zip(groups, drawn, strict=True):
                noise[[*edges]] = row
            noisy = alpha + noise
        derived = derive(noisy, cost_model, kinds, target_us)
        latency = cost_model.predicted_latency(derived.genotype)
        if not number or abs(latency - target_us) <= TOLERANCE * target_us:
            found.setdefault(derived.genotype.id, derived)
        if len(found) == count:
            break
    return list(found.values())
