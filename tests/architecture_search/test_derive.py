"""Deriving a network near a target from given α'."""

import numpy as np
import pytest

from lgcnet_tf.architecture_search.derive import TargetedDerivation, derive
from lgcnet_tf.architecture_search.latency_target import latency_range
from lgcnet_tf.guidance.communication import cell_kinds
from lgcnet_tf.latency.estimate import CostModel
from lgcnet_tf.space.genotype import Genotype
from lgcnet_tf.space.operations import CELL_OPERATIONS
from lgcnet_tf.space.skeleton import Skeleton

SIZE = (64, 96)
PAPER = Skeleton()


@pytest.fixture(scope="module")
def costs(make_table):
    return CostModel(make_table(PAPER, SIZE), PAPER, SIZE)


def make_alpha(costs, seed, kinds=None):
    """Random α' of every edge, (E, C), -inf for what it has not."""
    generator = np.random.default_rng(seed)
    count = costs.skeleton.num_cells
    kinds = range(count) if kinds is None else kinds
    cells = generator.normal(size=(max(kinds) + 1, 5, 8))[list(kinds)]
    fusion = costs.skeleton.edges[costs.skeleton.cell_edges :]
    fusion = [generator.normal(size=len(edge.candidates)) for edge in fusion]
    rows = [*cells.reshape(-1, 8), *fusion]
    most = max(map(len, rows))
    return np.array(
        [np.pad(r, (0, most - len(r)), constant_values=-np.inf) for r in rows]
    )


def predicted(costs, choice):
    return float(costs.predicted_latencies(choice))


def argmax_latency(costs, alpha):
    return float(costs.predicted_latencies(alpha.argmax(-1)))


def changed_edges(choice, alpha):
    return (choice != alpha.argmax(-1)).sum()


def test_within_the_tolerance_nothing_changes(costs):
    alpha = make_alpha(costs, 0)
    target = argmax_latency(costs, alpha) * 1.04
    choice, changed = TargetedDerivation(costs, range(14), target)(alpha)
    assert changed == changed_edges(choice, alpha) == 0


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("factor", [0.6, 0.8, 0.93, 1.07, 1.4])
def test_lands_with_few_changes(costs, seed, factor):
    alpha = make_alpha(costs, seed)
    latency = argmax_latency(costs, alpha)
    derive = TargetedDerivation(costs, range(14), factor * latency)
    choice, changed = derive(alpha)
    assert abs(predicted(costs, choice) / (factor * latency) - 1) <= 0.05
    assert changed == changed_edges(choice, alpha) > 0
    largest = costs.costs.max()
    least = (abs(factor - 1) - 0.05 * factor) * latency / largest
    assert changed <= 3 * least + 2


def test_of_single_changes_the_least_sure_gives_way(costs):
    """Against trying every one."""
    alpha = make_alpha(costs, 5)
    latency = argmax_latency(costs, alpha)
    target = 0.94 * latency
    choice, changed = TargetedDerivation(costs, range(14), target)(alpha)
    assert changed == 1
    losses = {}
    best = alpha.argmax(-1)
    for edge, logits in enumerate(alpha):
        for operation in np.flatnonzero(np.isfinite(logits)):
            other = best.copy()
            other[edge] = operation
            if abs(predicted(costs, other) / target - 1) <= 0.05:
                losses[edge, operation] = logits.max() - logits[operation]
    edge, operation = min(losses, key=losses.get)
    assert choice[edge] == operation


@pytest.mark.parametrize("factor", [0.75, 1.3])
def test_shared_cells_stay_alike(costs, factor):
    kinds = cell_kinds("shared", [spec.reduction for spec in PAPER.cells])
    alpha = make_alpha(costs, 1, kinds)
    target = factor * argmax_latency(costs, alpha)
    choice, changed = TargetedDerivation(costs, kinds, target)(alpha)
    assert abs(predicted(costs, choice) / target - 1) <= 0.05
    for cell, kind in enumerate(kinds):
        cells, _ = PAPER.split(choice)
        np.testing.assert_array_equal(cells[cell], cells[kinds.index(kind)])
    apart = [kinds.index(kind) for kind in sorted(set(kinds))]
    own, fused = PAPER.split(choice != alpha.argmax(-1))
    assert changed == own[apart].sum() + fused.sum()


def test_without_fusion_cell(make_table):
    skeleton = Skeleton(fusion="none")
    costs = CostModel(make_table(skeleton, SIZE), skeleton, SIZE)
    alpha = make_alpha(costs, 2)
    assert len(alpha) == 14 * 5
    target = 0.7 * argmax_latency(costs, alpha)
    choice, _ = TargetedDerivation(costs, range(14), target)(alpha)
    assert abs(predicted(costs, choice) / target - 1) <= 0.05
    genotype = Genotype.at(skeleton, choice)
    assert genotype.fusion == {}
    assert costs.predicted_latency(genotype) == predicted(costs, choice)
    np.testing.assert_array_equal(genotype.choice, choice)


def test_a_network_without_a_path_is_brought_to_life(costs):
    alpha = make_alpha(costs, 3)
    alpha[: 14 * 5, CELL_OPERATIONS.index("none")] = 9.0
    low, _ = latency_range(costs, range(14))
    target = 1.2 * low
    choice, _ = TargetedDerivation(costs, range(14), target)(alpha)
    assert abs(predicted(costs, choice) / target - 1) <= 0.05


def test_out_of_reach_comes_as_near_as_it_can(costs):
    alpha = make_alpha(costs, 4)
    before = argmax_latency(costs, alpha)
    choice, _ = TargetedDerivation(costs, range(14), 1e9)(alpha)
    assert predicted(costs, choice) > 1.2 * before


@pytest.mark.parametrize("kinds", [range(14), (0, 1, *(0,) * 6, 1, *(0,) * 5)])
def test_without_a_target_what_lets_nothing_through_is_mended_with_few_edges(
    costs, kinds
):
    alpha = make_alpha(costs, 5, kinds)
    none = CELL_OPERATIONS.index("none")
    alpha[:10, none] = 9.0  # the cells that read the stem
    if len(set(kinds)) == 2:
        alpha[[i for i in range(70) if kinds[i // 5] == 0], none] = 9.0
    derived = derive(alpha, costs, kinds)
    assert not derived.has_path and derived.genotype.has_path
    changed = derived.genotype.choice != alpha.argmax(-1)
    first = [list(kinds).index(kind) * 5 for kind in sorted(set(kinds))]
    assert derived.edges_changed == sum(changed[f : f + 5].sum() for f in first)
    for edge in np.flatnonzero(changed):  # each is the best that carries, and is needed
        assert alpha[edge].argmax() == none
        best = np.argsort(alpha[edge])[-2]
        assert derived.genotype.choice[edge] == best
        back = derived.genotype.choice.copy()
        alike = [5 * c + edge % 5 for c in range(14) if kinds[c] == kinds[edge // 5]]
        back[alike] = none
        assert not Genotype.at(PAPER, back).has_path


def test_without_a_target_the_argmax_is_the_network(costs):
    alpha = make_alpha(costs, 0)
    derived = derive(alpha, costs, range(14))
    assert derived.has_path and not derived.edges_changed
    np.testing.assert_array_equal(derived.genotype.choice, alpha.argmax(-1))


@pytest.mark.parametrize("factor", [0.6, 0.8, 1.2, 1.6])
def test_meets_the_target_where_alpha_is_certain(costs, factor):
    """As of probabilities that were too small for float32."""
    best = make_alpha(costs, 3).argmax(-1)
    alpha = np.full(costs.skeleton.candidate_mask.shape, -np.inf)
    alpha[np.arange(len(best)), best] = 0.0
    target = factor * argmax_latency(costs, alpha)
    choice, changed = TargetedDerivation(costs, range(14), target)(alpha)
    assert abs(predicted(costs, choice) / target - 1) <= 0.05
    assert changed == (choice != best).sum() > 0


def test_slow_networks_are_reached_from_one_with_hardly_a_path(make_table):
    """Where no edge alone is nearer: a cell that is read needs two to be."""
    space = Skeleton(
        initial_channels=2, num_cells=2, reduction_cells=(1,), fusion="none",
        fusion_taps=(0, 1), cell_operations=("none", "skip_connect", "sep_conv_3x3"),
    )  # fmt: skip
    costs = CostModel(make_table(space, (32, 64)), space, (32, 64))
    _, slowest = latency_range(costs, range(2))
    alpha = np.where(space.candidate_mask, -100.0, -np.inf)
    alpha[:, 0] = 0.0
    for target in np.linspace(0.6, 0.95, 5) * slowest:
        choice, _ = TargetedDerivation(costs, range(2), target)(alpha)
        assert abs(predicted(costs, choice) / target - 1) <= 0.05
