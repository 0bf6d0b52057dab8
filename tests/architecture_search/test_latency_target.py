"""λ's controller on simulated searches, the range of a space, and real searches."""

import itertools
import json
import pathlib

import numpy as np
import pytest

from lgcnet_tf.architecture_search.build import build_search_model
from lgcnet_tf.architecture_search.latency_target import (
    DAMPING,
    RATE,
    LatencyTarget,
    check_reachable,
    latency_range,
    steer,
)
from lgcnet_tf.commands.search import search
from lgcnet_tf.errors import InputError
from lgcnet_tf.guidance.communication import cell_kinds
from lgcnet_tf.latency.estimate import CostModel
from lgcnet_tf.space.genotype import Genotype
from lgcnet_tf.space.pruning import liveness_of
from lgcnet_tf.training.checkpoint import Checkpoint, restore, snapshot

SIZE = (32, 64)


class SimulatedSearch:
    """70 edges whose logits follow a noisy preference for slow operations and λ.

    The latency is that of the argmax, so it moves in quanta, and is told late.
    """

    def __init__(self, rate, preference, delay, seed=0):
        self.generator = np.random.default_rng(seed)
        self.costs = np.sort(self.generator.uniform(0, 300, (70, 8)), axis=-1)
        self.logits = self.generator.normal(0, 1e-3, (70, 8))
        self.rate, self.preference = rate, preference
        self.late = [self.latency()] * delay

    def latency(self):
        chosen = self.logits.argmax(-1)
        return 5000.0 + self.costs[np.arange(70), chosen].sum()

    def step(self, weight):
        slope = (self.preference - weight) * (self.costs - 150.0) / self.latency()
        noise = self.generator.normal(0, 0.165, self.logits.shape)
        # Adam's steps: the gradient over what it usually is.
        self.logits += self.rate * (slope + noise) / (0.165 + np.abs(slope))
        self.late.append(self.latency())
        return self.late.pop(0)


@pytest.mark.parametrize("steps, rate", [(300, 0.01), (600, 0.01), (3000, 0.001)])
@pytest.mark.parametrize("preference", [0.0, 3.0])
@pytest.mark.parametrize("target_us", [9000.0, 14000.0, 22000.0])
@pytest.mark.parametrize("form", ["log", "linear"])
def test_lands_on_the_target(steps, rate, preference, target_us, form):
    target = LatencyTarget(target_us, steps, form)
    simulated = SimulatedSearch(rate, preference, delay=2)
    multiplier, weight = target.start(0.005), 0.005
    course = []
    for _ in range(steps):
        # What works on the slope is λ·dLAT/LAT, whatever the form.
        working = weight if form == "log" else weight * target_us / 1000
        latency = simulated.step(working)
        course.append(latency)
        multiplier, weight = target.step(multiplier, latency)
    late = np.array(course[-steps // 6 :])
    assert abs(np.median(late) / target_us - 1) < 0.03
    assert np.mean(np.abs(late / target_us - 1) < 0.05) > 0.7


def test_without_control_the_simulation_is_elsewhere():
    simulated = SimulatedSearch(0.01, 3.0, delay=0)
    latencies = [simulated.step(0.005) for _ in range(600)]
    assert latencies[-1] > 1.1 * 14000


def test_sign_and_size_of_a_step():
    target = LatencyTarget(10_000.0, 200)
    multiplier, weight = target.step(0.0, 11_000.0)
    error = np.log(1.1)
    assert multiplier == pytest.approx(RATE / 200 * error)
    assert weight == pytest.approx(multiplier + DAMPING * error)
    multiplier, weight = target.step(0.0, 9_000.0)  # too fast: slower is wanted
    assert multiplier < 0 and weight < 0
    assert target.step(1.5, 10_000.0) == (1.5, 1.5)


def test_a_dead_network_does_not_throw_the_weight_off():
    target = LatencyTarget(10_000.0, 200)
    assert target.step(0.0, 1.0) == target.step(0.0, 5_000.0)


@pytest.mark.parametrize("form", ["log", "linear"])
def test_starts_at_the_weight_given(form):
    target = LatencyTarget(8_000.0, 100, form)
    assert target.step(target.start(0.7), 8_000.0)[1] == pytest.approx(0.7)


@pytest.fixture(scope="module")
def small_costs(small_skeleton, make_table):
    def make(**changes):
        skeleton = small_skeleton(**changes)
        return CostModel(make_table(skeleton, SIZE), skeleton, SIZE)

    return make


def kinds_of(costs, mode):
    return cell_kinds(mode, [spec.reduction for spec in costs.skeleton.cells])


def fusion_sizes(skeleton):
    return [len(edge.candidates) for edge in skeleton.edges[skeleton.cell_edges :]]


@pytest.mark.parametrize("fusion", ["dense", "none"])
def test_range_of_independent_cells(fusion, small_costs):
    """Against all networks of three cells with at most one live operation each."""
    changes = {"num_cells": 3, "reduction_cells": (0, 2), "fusion_taps": (0, 1, 2)}
    if fusion == "dense":
        changes["reduction_cells"] = (1, 2)
    costs = small_costs(fusion=fusion, **changes)
    fastest, slowest = latency_range(costs, kinds_of(costs, "none"))
    single = [np.zeros(5, int)]
    for edge, operation in itertools.product((0, 1), range(1, 8)):
        single.append(np.zeros(5, int))
        single[-1][edge] = operation
    cells = np.array(list(itertools.product(single, repeat=3)))
    generator = np.random.default_rng(0)
    sizes = fusion_sizes(costs.skeleton)
    choices = [generator.integers(0, size, 20_000) for size in sizes]
    fusions = np.stack(choices, -1) if choices else np.zeros((1, 0), int)
    for group in costs.groups:  # one of them has the best and the worst of each group
        edges = np.array(group.edge_indices) - costs.skeleton.cell_edges
        fusions[0, edges] = group.choices_by_cost[0][0]
        fusions[-1, edges] = group.choices_by_cost[0][-1]
    joined = costs.skeleton.joined
    of_fusion = costs.predicted_latencies(
        joined(np.broadcast_to(np.full((3, 5), 3), (len(fusions), 3, 5)), fusions)
    )
    assert of_fusion.min() == of_fusion[0] and of_fusion.max() == of_fusion[-1]
    latency = costs.predicted_latencies(
        joined(cells, np.broadcast_to(fusions[0], (len(cells), fusions.shape[1])))
    )
    alive = liveness_of(costs.skeleton, cells != 0).has_path
    assert fastest == pytest.approx(latency[alive].min())
    worst = joined(costs.cells.argmax(-1), fusions[-1])
    assert slowest == pytest.approx(float(costs.predicted_latencies(worst)))


def test_range_of_shared_cells(small_costs):
    costs = small_costs()
    kinds = kinds_of(costs, "shared")
    fastest, slowest = latency_range(costs, kinds)
    low, high = latency_range(costs, kinds_of(costs, "none"))
    assert low <= fastest * (1 + 1e-12) < slowest <= high * (1 + 1e-12)
    generator = np.random.default_rng(0)
    own = generator.integers(0, 8, (3000, 2, 5)) * (
        generator.random((3000, 2, 5)) < 0.4
    )
    cells = own[:, list(kinds)]
    fusion = np.array(
        [generator.integers(0, size, 3000) for size in fusion_sizes(costs.skeleton)]
    )
    latency = costs.predicted_latencies(costs.skeleton.joined(cells, fusion.T))
    alive = liveness_of(costs.skeleton, cells != 0).has_path
    assert fastest <= latency[alive].min() * (1 + 1e-12)
    assert latency.max() <= slowest * (1 + 1e-12)


def test_a_target_out_of_reach(small_costs):
    costs = small_costs()
    kinds = kinds_of(costs, "none")
    fastest, slowest = latency_range(costs, kinds)
    for target in (0.9 * fastest, 1.1 * slowest):
        named = f"take {fastest / 1000:.4g} to {slowest / 1000:.4g} ms"
        with pytest.raises(InputError, match=f"target_latency_ms.*{named}"):
            check_reachable(target, costs, kinds)
    for target in (0.96 * fastest, fastest, slowest, 1.04 * slowest):
        check_reachable(target, costs, kinds)


@pytest.fixture(scope="module")
def options(make_options, make_table, few_operations, tmp_path_factory):
    """Options of a search of 24 steps for a target near the middle, by its folder."""
    folder = tmp_path_factory.mktemp("target")
    plain = make_options(with_fusion=True, **few_operations)
    skeleton = plain.skeleton(8)
    table = make_table(skeleton, plain.input_size)
    table.save(folder / "table.json")
    costs = CostModel(table, skeleton, plain.input_size)
    low, high = latency_range(costs, kinds_of(costs, "none"))

    def make(name, **changes):
        settings = {
            "epochs": 3,
            "batch_size": 16,
            "alpha_lr": 0.02,
            "latency_table": str(folder / "table.json"),
            "output_dir": str(folder / name),
            "target_latency_ms": round((0.4 * low + 0.6 * high) / 1000, 2),
        }
        return make_options(with_fusion=True, **few_operations | settings | changes)

    return make


@pytest.fixture(scope="module")
def finished(options):
    run = options("whole")
    return run, search(run)


def read(options, name):
    with open(f"{options.output_dir}/{name}") as file:
        return json.load(file)


def test_a_search_lands_within_five_percent(finished):
    run, results = finished
    assert abs(results["predicted_latency_ms"] / run.target_latency_ms - 1) <= 0.05
    assert 0 <= results["edges_changed_for_target"] <= 4
    genotype = Genotype.load(f"{run.output_dir}/genotype.json")
    assert genotype.provenance["target_latency_ms"] == run.target_latency_ms
    with np.load(f"{run.output_dir}/alphas.npz") as alphas:
        best = alphas["probabilities"].argmax(-1)
    changed = (genotype.choice != best).sum()
    assert changed <= results["edges_changed_for_target"]


def test_history_has_the_course_of_the_weight(finished):
    run, _ = finished
    history = read(run, "history.json")
    weights = [entry["latency_weight"] for entry in history]
    assert len(set(weights)) == 3 and np.isfinite(weights).all()
    assert all(entry["derived_latency_ms"] > 0 for entry in history)


def test_a_resumed_search_steers_on(make_options, make_table, make_batch):
    """All that steers is in what a checkpoint holds."""
    operations = ("none", "skip_connect", "sep_conv_3x3")
    run = make_options(cell_operations=operations, alpha_lr=0.02)
    skeleton = run.skeleton(8)
    table = make_table(skeleton, run.input_size)
    costs = CostModel(table, skeleton, run.input_size)
    model = build_search_model(run, skeleton, costs, steps=20)
    low, high = latency_range(costs, kinds_of(costs, "none"))
    target = LatencyTarget(0.4 * low + 0.6 * high, 20)
    model.latency_multiplier.assign(target.start(0.3))
    images, labels = make_batch(4)

    def steps(count):
        course = []
        for _ in range(count):
            model.train_on_batch(images, labels)
            steer(model, target)
            course.append(
                (float(model.latency_weight), float(model.latency_multiplier))
            )
        return course

    steps(2)
    saved = Checkpoint(0, 2, snapshot(model), {}, pathlib.Path("none"))
    whole = steps(3)
    assert len(set(whole)) == 3
    restore(model, saved)
    assert steps(3) == whole


@pytest.mark.parametrize("place", [0.001, 1000.0])
def test_refused_before_the_search(options, place):
    run = options("refused", target_latency_ms=place)
    with pytest.raises(InputError, match="target_latency_ms=.* is out of reach"):
        search(run)
    with pytest.raises(FileNotFoundError):
        read(run, "flags.txt")


def test_random_search_takes_no_target(options):
    run = options("random", search_strategy="random")
    with pytest.raises(InputError, match="target_latency_ms steers a differentiable"):
        search(run)
