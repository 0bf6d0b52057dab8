"""Random networks that differ in what they do, spread over the latencies."""

import hashlib
import json
from collections.abc import Collection

import numpy as np

from lgcnet_tf.latency.estimate import CostModel
from lgcnet_tf.space.cells import CELL_EDGES
from lgcnet_tf.space.genotype import Genotype, fusion_candidates
from lgcnet_tf.space.skeleton import Skeleton

POOL = 1200
CONCENTRATION = 0.4


def name_of(genotype: Genotype) -> str:
    """A short name that equal networks, and only those, share."""
    text = json.dumps([genotype.cells, sorted(genotype.fusion.items())])
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def diverse_genotype(skeleton: Skeleton, generator: np.random.Generator) -> Genotype:
    """Draws a network that prefers some operations, others at each stride.

    Drawn uniformly, all networks hold about the same number of each operation:
    their latencies lie close together, and cannot tell what one operation adds.
    Here how probable each operation is, `none` too, is itself drawn, from
    Dirichlet distributions.
    """
    preferences = {}

    def draw(place, candidates):
        if place not in preferences:
            concentration = np.full(len(candidates), CONCENTRATION)
            preferences[place] = generator.dirichlet(concentration)
        return str(generator.choice(candidates, p=preferences[place]))

    cells = tuple(
        tuple(draw(spec.stride, skeleton.cell_operations) for _ in CELL_EDGES)
        for spec in skeleton.cells
    )
    fusion = {
        edge: draw(candidates, candidates)
        for edge, candidates in fusion_candidates(skeleton).items()
    }
    return Genotype(skeleton, cells, fusion)


def draw_pool(
    skeleton: Skeleton,
    seed: int,
    size: int = POOL,
    without: Collection[str] = (),
) -> list[Genotype]:
    """Different networks that have a path from image to output.

    Fewer than `size` where the space is that small.

    Args:
        without: names of networks that shall not be among them.
    """
    generator = np.random.default_rng(seed)
    names = set(without)
    pool = []
    for _ in range(2 * size):
        genotype = diverse_genotype(skeleton, generator)
        name = name_of(genotype)
        if name in names or not genotype.has_path:
            continue
        names.add(name)
        pool.append(genotype)
        if len(pool) == size:
            break
    return pool


def evenly_spaced(latencies_us: np.ndarray, count: int) -> list[int]:
    """Places of `count` latencies that lie about evenly between the extremes.

    Fastest first; of the pool's outermost 1 % only one may be among them.
    """
    order = np.argsort(latencies_us, kind="stable")
    count = min(count, len(order))
    sorted_us = latencies_us[order]
    low, high = np.percentile(sorted_us, (0.5, 99.5))
    chosen: list[int] = []
    for target in np.linspace(low, high, count):
        distance = np.abs(sorted_us - target)
        distance[chosen] = np.inf
        chosen.append(int(distance.argmin()))
    return [int(order[place]) for place in sorted(chosen)]


def spread_genotypes(
    costs: CostModel,
    count: int,
    seed: int,
    without: Collection[str] = (),
) -> list[Genotype]:
    """`count` random networks, spread over the range of predicted latencies."""
    pool = draw_pool(costs.skeleton, seed, without=without)
    latencies = np.array([costs.predicted_latency(genotype) for genotype in pool])
    return [pool[place] for place in evenly_spaced(latencies, count)]
