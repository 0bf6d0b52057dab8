"""Deriving a network near a target from given α'."""

import numpy as np
import pytest

from lgcnet_tf.architecture_search.derive import TargetedDerivation
from lgcnet_tf.architecture_search.latency_target import latency_range
from lgcnet_tf.guidance.communication import cell_kinds
from lgcnet_tf.latency.estimate import CostModel
from lgcnet_tf.space.genotype import genotype_at, indices_of
from lgcnet_tf.space.operations import CELL_OPERATIONS
from lgcnet_tf.space.skeleton import Skeleton

SIZE = (64, 96)
PAPER = Skeleton()


@pytest.fixture(scope="module")
def costs(make_table):
    return CostModel(make_table(PAPER, SIZE), PAPER, SIZE)


def alpha(costs, seed, kinds=None):
    """Random α' of the cells and of each edge of the fusion cell."""
    generator = np.random.default_rng(seed)
    count = costs.skeleton.num_cells
    kinds = range(count) if kinds is None else kinds
    cells = generator.normal(size=(max(kinds) + 1, 5, 8))[list(kinds)]
    return cells, [generator.normal(size=len(c)) for c in costs.fusion.values()]


def predicted(costs, choice):
    return float(costs.predicted_latencies(choice.cells, choice.fusion))


def argmax_latency(costs, cells, fusion):
    best = np.array([a.argmax() for a in fusion], int)
    return float(costs.predicted_latencies(cells.argmax(-1), best))


def changed_edges(choice, cells, fusion):
    return (choice.cells != cells.argmax(-1)).sum() + sum(
        a.argmax() != chosen for a, chosen in zip(fusion, choice.fusion)
    )


def test_within_the_tolerance_nothing_changes(costs):
    cells, fusion = alpha(costs, 0)
    target = argmax_latency(costs, cells, fusion) * 1.04
    choice, changed = TargetedDerivation(costs, range(14), target)(cells, fusion)
    assert changed == changed_edges(choice, cells, fusion) == 0


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("factor", [0.6, 0.8, 0.93, 1.07, 1.4])
def test_lands_with_few_changes(costs, seed, factor):
    cells, fusion = alpha(costs, seed)
    latency = argmax_latency(costs, cells, fusion)
    derive = TargetedDerivation(costs, range(14), factor * latency)
    choice, changed = derive(cells, fusion)
    assert abs(predicted(costs, choice) / (factor * latency) - 1) <= 0.05
    assert changed == changed_edges(choice, cells, fusion) > 0
    largest = max(costs.cells.max(), max(c.max() for c in costs.fusion.values()))
    least = (abs(factor - 1) - 0.05 * factor) * latency / largest
    assert changed <= 3 * least + 2


def test_of_single_changes_the_least_sure_gives_way(costs):
    """Against trying every one."""
    cells, fusion = alpha(costs, 5)
    latency = argmax_latency(costs, cells, fusion)
    target = 0.94 * latency
    choice, changed = TargetedDerivation(costs, range(14), target)(cells, fusion)
    assert changed == 1
    losses = {}
    best = cells.argmax(-1), np.array([a.argmax() for a in fusion], int)
    for k, e, o in np.ndindex(14, 5, 8):
        other = best[0].copy()
        other[k, e] = o
        if abs(float(costs.predicted_latencies(other, best[1])) / target - 1) <= 0.05:
            losses[k, e, o] = cells[k, e].max() - cells[k, e, o]
    for j, logits in enumerate(fusion):
        for o in range(len(logits)):
            other = best[1].copy()
            other[j] = o
            if (
                abs(float(costs.predicted_latencies(best[0], other)) / target - 1)
                <= 0.05
            ):
                losses["fusion", j, o] = logits.max() - logits[o]
    place = min(losses, key=losses.get)
    if place[0] == "fusion":
        assert choice.fusion[place[1]] == place[2]
    else:
        assert choice.cells[place[:2]] == place[2]


@pytest.mark.parametrize("factor", [0.75, 1.3])
def test_shared_cells_stay_alike(costs, factor):
    kinds = cell_kinds("shared", [spec.reduction for spec in PAPER.cells])
    cells, fusion = alpha(costs, 1, kinds)
    target = factor * argmax_latency(costs, cells, fusion)
    choice, changed = TargetedDerivation(costs, kinds, target)(cells, fusion)
    assert abs(predicted(costs, choice) / target - 1) <= 0.05
    for cell, kind in enumerate(kinds):
        np.testing.assert_array_equal(
            choice.cells[cell], choice.cells[kinds.index(kind)]
        )
    apart = [kinds.index(kind) for kind in sorted(set(kinds))]
    own = (choice.cells != cells.argmax(-1))[apart].sum()
    fused = sum(a.argmax() != chosen for a, chosen in zip(fusion, choice.fusion))
    assert changed == own + fused


def test_without_fusion_cell(make_table):
    skeleton = Skeleton(fusion="none")
    costs = CostModel(make_table(skeleton, SIZE), skeleton, SIZE)
    cells, fusion = alpha(costs, 2)
    assert fusion == []
    target = 0.7 * argmax_latency(costs, cells, fusion)
    choice, _ = TargetedDerivation(costs, range(14), target)(cells, fusion)
    assert abs(predicted(costs, choice) / target - 1) <= 0.05
    genotype = genotype_at(skeleton, choice.cells, choice.fusion)
    assert genotype.fusion == {}
    assert costs.predicted_latency(genotype) == predicted(costs, choice)
    np.testing.assert_array_equal(indices_of(genotype)[0], choice.cells)


def test_a_network_without_a_path_is_brought_to_life(costs):
    cells, fusion = alpha(costs, 3)
    cells[..., CELL_OPERATIONS.index("none")] = 9.0
    low, _ = latency_range(costs, range(14))
    target = 1.2 * low
    choice, _ = TargetedDerivation(costs, range(14), target)(cells, fusion)
    assert abs(predicted(costs, choice) / target - 1) <= 0.05


def test_out_of_reach_comes_as_near_as_it_can(costs):
    cells, fusion = alpha(costs, 4)
    before = argmax_latency(costs, cells, fusion)
    choice, _ = TargetedDerivation(costs, range(14), 1e9)(cells, fusion)
    assert predicted(costs, choice) > 1.2 * before
