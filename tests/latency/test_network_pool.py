import collections

import numpy as np
import pytest

from lgcnet_tf.latency.estimate import CostModel
from lgcnet_tf.latency.network_pool import (
    diverse_genotype,
    draw_pool,
    evenly_spaced,
    name_of,
    spread_genotypes,
)
from lgcnet_tf.model.network import Network
from lgcnet_tf.space.genotype import Genotype, random_genotype, uniform
from lgcnet_tf.space.skeleton import Skeleton

SIZE = (32, 64)


def test_equal_networks_share_their_name(tiny):
    genotypes = draw_pool(tiny, 0, 50)
    again = [Genotype.from_dict(genotype.to_dict()) for genotype in genotypes]
    assert [name_of(g) for g in genotypes] == [name_of(g) for g in again]
    assert len({name_of(g) for g in genotypes}) == 50


def test_networks_differ_more_than_uniform_ones():
    skeleton = Skeleton()

    def spread_of_convs(draw):
        generator = np.random.default_rng(0)
        cells = [draw(skeleton, generator).cells for _ in range(100)]
        return np.std([sum(cell.count("conv_3x3") for cell in c) for c in cells])

    assert spread_of_convs(diverse_genotype) > 2 * spread_of_convs(random_genotype)


def test_a_pool_is_of_networks_that_can_be_built(tiny):
    pool = draw_pool(tiny, 0, 8)
    assert pool == draw_pool(tiny, 0, 8) != draw_pool(tiny, 1, 8)
    for genotype in pool:
        Network(tiny, SIZE, genotype)
    assert any("none" in cell for genotype in pool for cell in genotype.cells)


def test_a_pool_goes_without(tiny):
    first = draw_pool(tiny, 0, 30)
    rest = draw_pool(tiny, 0, 30, without=[name_of(g) for g in first[:10]])
    assert rest[:20] == first[10:]


def test_a_small_space_has_no_more_than_it_has():
    bare = Skeleton(3, 2, 1, reduction_cells=(), fusion="none", fusion_taps=())
    pool = draw_pool(bare, 0, 20)
    assert 0 < len(pool) <= 20
    most = collections.Counter(map(name_of, pool)).most_common(1)
    assert most[0][1] == 1


@pytest.mark.parametrize("count", [1, 5, 40, 100, 1000])
def test_spread_evenly(count):
    latencies = np.random.default_rng(0).normal(50.0, 5.0, 200)
    chosen = evenly_spaced(latencies, count)
    assert len(set(chosen)) == len(chosen) == min(count, 200)
    found = latencies[chosen]
    assert (np.diff(found) >= 0).all()
    if count == 5:
        np.testing.assert_allclose(np.diff(found), np.ptp(found) / 4, rtol=0.3)


def test_random_networks_over_the_range(tiny, make_table):
    costs = CostModel(make_table(tiny, SIZE), tiny, SIZE)
    without = {name_of(uniform(tiny, "conv_3x3"))}
    genotypes = spread_genotypes(costs, 12, 3, without)
    latencies = [costs.predicted_latency(genotype) for genotype in genotypes]
    assert latencies == sorted(latencies)
    assert latencies[-1] > 1.5 * latencies[0]
    assert genotypes == spread_genotypes(costs, 12, 3, without)
    assert genotypes != spread_genotypes(costs, 12, 4, without)
