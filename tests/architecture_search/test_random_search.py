"""Random networks: their band, their distribution, what is refused."""

import dataclasses
import itertools
import json
import pathlib

import numpy as np
import pytest

from lgcnet_tf.architecture_search import random_search
from lgcnet_tf.architecture_search.latency_target import latency_range
from lgcnet_tf.architecture_search.random_search import draw_genotype
from lgcnet_tf.commands.search import search
from lgcnet_tf.data import dataset_info
from lgcnet_tf.errors import InputError
from lgcnet_tf.latency.estimate import CostModel
from lgcnet_tf.space import Skeleton
from lgcnet_tf.space.cells import CELL_EDGES
from lgcnet_tf.space.genotype import Genotype, uniform
from lgcnet_tf.space.operations import CELL_OPERATIONS

SIZE = (32, 64)


@pytest.fixture(scope="module")
def cost_model(make_table, small_skeleton):
    skeleton = small_skeleton()
    return CostModel(make_table(skeleton, SIZE), skeleton, SIZE)


@pytest.fixture(scope="module")
def uniform_latencies(cost_model):
    """Predicted latencies of 200 uniform networks, µs, sorted."""
    generator = np.random.default_rng(7)
    drawn = (draw_genotype(cost_model, generator)[0] for _ in range(200))
    return np.sort([cost_model.predicted_latency(genotype) for genotype in drawn])


@pytest.mark.parametrize(
    "low, high", [(0.0, 0.8), (0.95, 1.05), (1.2, np.inf), (0.700, 0.702)]
)
def test_latency_is_in_the_band(cost_model, uniform_latencies, low, high):
    low, high = np.array([low, high]) * uniform_latencies.mean()
    for seed in range(3):
        generator = np.random.default_rng(seed)
        genotype, draws = draw_genotype(cost_model, generator, low, high)
        assert low <= cost_model.predicted_latency(genotype) <= high
        assert genotype.has_path and draws > 0


def test_the_band_is_rare_among_uniform_networks(uniform_latencies):
    mean = uniform_latencies.mean()
    assert not (uniform_latencies < 0.65 * mean).any()
    assert not (uniform_latencies > 1.5 * mean).any()


@pytest.mark.parametrize("band", [(0.0, np.inf), (0.0, 0.7)])
def test_same_seed_same_network(cost_model, uniform_latencies, band):
    low, high = band[0], band[1] * uniform_latencies.mean()

    def draw(seed):
        return draw_genotype(cost_model, np.random.default_rng(seed), low, high)[0]

    assert draw(1) == draw(1)
    assert draw(1) != draw(2)


def test_is_uniform_over_the_networks_of_a_band(make_table, monkeypatch):
    """Against all 32768 networks of a space of one cell."""
    skeleton = Skeleton(
        num_classes=3,
        initial_channels=2,
        num_cells=1,
        reduction_cells=(),
        fusion="none",
    )
    cost_model = CostModel(make_table(skeleton, SIZE, seed=3), skeleton, SIZE)
    choices = np.array(
        list(itertools.product(range(len(CELL_OPERATIONS)), repeat=len(CELL_EDGES)))
    )
    latency = cost_model.predicted_latencies(choices)
    live = choices[:, :4].any(-1)  # the last edge starts where one of these ends
    low, high = np.quantile(latency[live], (0.001, 0.02))
    inside = latency[live & (latency >= low) & (latency <= high)]
    monkeypatch.setattr(random_search, "_BATCH", 300)
    generator = np.random.default_rng(0)
    found = [
        cost_model.predicted_latency(draw_genotype(cost_model, generator, low, high)[0])
        for _ in range(300)
    ]
    error = inside.std() / np.sqrt(len(found))
    assert abs(np.mean(found) - inside.mean()) < 4 * error
    # Without its correction a draw from the tilted distribution would fail.
    assert abs(np.mean(found) - high) > 4 * error


def test_reaches_nearly_the_slowest_network(cost_model):
    """Where equal operations are done once, it is one with different ones."""
    slowest = latency_range(cost_model, range(cost_model.skeleton.num_cells))[1]
    generator = np.random.default_rng(0)
    genotype, _ = draw_genotype(cost_model, generator, 0.97 * slowest)
    assert cost_model.predicted_latency(genotype) >= 0.97 * slowest


def test_a_band_out_of_reach(cost_model):
    with pytest.raises(InputError, match="reachable range is about .*ms") as caught:
        draw_genotype(cost_model, np.random.default_rng(0), 1e9, 2e9)
    assert "\n" not in str(caught.value)


def test_a_network_without_a_path(small_skeleton):
    skeleton = small_skeleton()
    assert not uniform(skeleton, "none").has_path
    assert uniform(skeleton, "skip_connect").has_path
    start = ("none", "skip_connect", "none", "none", "none")
    cells = (start, *uniform(skeleton, "none").cells[1:])
    assert dataclasses.replace(uniform(skeleton, "none"), cells=cells).has_path


def test_draws_again_what_has_no_path(cost_model, small_skeleton, monkeypatch):
    drawn = iter([uniform(small_skeleton(), op) for op in ("none", "conv_3x3")])
    monkeypatch.setattr(random_search, "random_genotype", lambda *_: next(drawn))
    genotype, draws = draw_genotype(cost_model, np.random.default_rng(0))
    assert genotype == uniform(small_skeleton(), "conv_3x3") and draws == 2


@pytest.fixture(scope="module")
def options(make_options, make_table, tmp_path_factory):
    folder = tmp_path_factory.mktemp("random")

    def make(name, **changes):
        return make_options(
            dataset="cityscapes",
            search_strategy="random",
            latency_table=str(folder / "table.json"),
            output_dir=str(folder / name),
            **changes,
        )

    plain = make("table")
    skeleton = plain.skeleton(dataset_info("cityscapes").num_classes)
    make_table(skeleton, SIZE).save(folder / "table.json")
    return make


def test_needs_no_data_and_leaves_what_a_search_leaves(options):
    run = options("run", seed=4)
    results = search(run)
    genotype = Genotype.load(f"{run.output_dir}/genotype.json")
    with open(f"{run.output_dir}/results.json") as file:
        assert json.load(file) == results
    assert genotype.provenance["search_strategy"] == "random"
    assert genotype.provenance["seed"] == 4
    predicted = genotype.provenance["predicted_latency_ms"]
    assert results["predicted_latency_ms"] == predicted > 0.0
    assert results["params"] > 0 and sum(results["operations"].values()) == 10


def test_leaves_no_folder_when_the_band_is_out_of_reach(options):
    run = options("none", min_latency_ms=1e6)
    with pytest.raises(InputError, match="reachable"):
        search(run)
    assert not pathlib.Path(run.output_dir).exists()


@pytest.mark.parametrize(
    "changes, message",
    [
        (
            {"search_strategy": "differentiable", "max_latency_ms": 5.0},
            "go with --search_strategy=random",
        ),
        ({"min_latency_ms": 5.0, "max_latency_ms": 4.0}, "below --min_latency_ms=5.0"),
        ({"min_latency_ms": -1.0}, "--min_latency_ms must be at least 0"),
        ({"communication": "shared"}, "--communication=shared"),
        ({"search_strategy": "grid"}, "--search_strategy must be one of"),
    ],
)
def test_refuses(make_options, changes, message):
    with pytest.raises(InputError, match=message):
        make_options(**{"search_strategy": "random"} | changes).check()
