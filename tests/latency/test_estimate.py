import dataclasses
import itertools

import keras
import numpy as np
import pytest
from keras import ops

from lgcnet_tf.errors import InputError
from lgcnet_tf.latency.estimate import CostModel, LatencyLoss, one_hot_weights
from lgcnet_tf.latency.table import Calibration, LatencyEntry
from lgcnet_tf.model.network import Network
from lgcnet_tf.model.units import Unit
from lgcnet_tf.space.cells import CELL_EDGE_NAMES
from lgcnet_tf.space.fusion import DENSE
from lgcnet_tf.space.genotype import random_genotype, uniform
from lgcnet_tf.space.operations import CELL_OPERATIONS, FUSION_OPERATIONS
from lgcnet_tf.space.skeleton import Skeleton
from lgcnet_tf.space.workloads import workloads

PAPER = Skeleton()
SIZE = (1024, 2048)


@pytest.fixture(scope="module")
def table(make_table):
    return make_table(PAPER, SIZE)


@pytest.fixture(scope="module")
def costs(table):
    return CostModel(table, PAPER, SIZE)


def dense_genotype(skeleton, seed):
    """A random genotype in which nothing is dead."""
    generator = np.random.default_rng(seed)
    genotype = random_genotype(skeleton, generator)
    cells = generator.choice(CELL_OPERATIONS[1:], (skeleton.num_cells, 5))
    return dataclasses.replace(genotype, cells=tuple(tuple(map(str, c)) for c in cells))


def sparse_genotype(skeleton, seed):
    """A random genotype with `none` on two of three edges."""
    generator = np.random.default_rng(seed)
    genotype = random_genotype(skeleton, generator)
    cells = tuple(
        tuple("none" if generator.random() < 2 / 3 else op for op in cell)
        for cell in genotype.cells
    )
    return dataclasses.replace(genotype, cells=cells)


def built(table, network):
    """The times of what a network is really made of, in µs, and its count of units."""
    work = workloads(network.skeleton, network.input_size)
    parts = [*work.stem, *work.head]
    units = len(work.stem)
    for index, cell in network.cells.items():
        index = int(index)
        for source, layers in zip(("s0", "s1"), work.inputs[index]):
            reads = source in cell.preprocess
            assert reads or source not in cell.pools
            parts += layers if reads else ()
            units += reads
        for edge, candidates in zip(CELL_EDGE_NAMES, work.cells[index]):
            if edge in cell.edges:
                (operation,) = cell.edges[edge].operations
                parts.append(candidates[CELL_OPERATIONS.index(operation)])
                units += operation != "skip_connect" or candidates[1].stride > 1
    if network.fusion:
        units += len(network.fusion.reduce)
        fusion = network.skeleton.fusion_cell
        depends = set()  # on the image; the rest is built of constants
        for name, layers in zip(fusion.inputs, work.taps):
            if name in network.fusion.reduce:
                parts += layers
                depends.add(name)
        layers = [
            (edges[0], network.fusion.edges[name])
            for part in network.fusion.parts.values()
            for name, edges in part.items()
        ]
        for edge, layer in sorted(
            layers, key=lambda found: fusion.edges.index(found[0])
        ):
            units += isinstance(layer, Unit)
            if edge.source in depends:
                operation = network.genotype.fusion[edge.name]
                place = edge.candidates.index(operation)
                parts.append(work.fusion[edge.name][place])
                depends.add(edge.target)
    return sum(table[part] for part in parts), units


def by_hand(table, weights):
    """Eq. 8 and 9 in NumPy float64, one term after the other."""
    work = workloads(PAPER, SIZE)
    total = np.float64(0.0)
    rows = iter(np.asarray(weights, "float64"))
    for cell in work.cells:
        for candidates in cell:
            row = next(rows)
            for o, workload in enumerate(candidates):
                total += row[o] * table[workload]
    of_edge = dict(zip(work.fusion, rows, strict=True))
    for group in DENSE.groups:  # the mean over all choices
        times = [table[workload] for workload in work.fusion[group[0].name]]
        names = group[0].candidates
        z = [of_edge[edge.name] for edge in group]
        for choice in itertools.product(range(len(times)), repeat=len(group)):
            once = {o for o in choice if "sep" not in names[o]}
            each = [o for o in choice if "sep" in names[o]]
            chance = np.prod([z[edge][o] for edge, o in enumerate(choice)])
            total += chance * sum(times[o] for o in (*once, *each))
    return total + sum(table[workload] for workload in work.fixed)


@pytest.mark.parametrize("seed", range(3))
def test_expected_latency_is_eq_8_and_9(table, costs, random_z, seed):
    assert costs.cells.shape == (14, 5, 8)
    weights = random_z(PAPER, seed)
    result = float(costs.expected_latency(weights))
    np.testing.assert_allclose(result, by_hand(table, weights), rtol=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_one_hot_gives_the_derived_prediction(table, costs, seed):
    genotype = dense_genotype(PAPER, seed)
    predicted = costs.predicted_latency(genotype)
    weights = one_hot_weights(genotype)
    np.testing.assert_allclose(
        float(costs.expected_latency(weights)), predicted, rtol=1e-6
    )
    np.testing.assert_allclose(predicted, by_hand(table, weights), rtol=1e-6)


def test_one_hot_weights_stand_at_the_operations():
    genotype = random_genotype(PAPER, np.random.default_rng(1))
    weights = one_hot_weights(genotype)
    assert (weights.sum(-1) == 1).all()
    for cell, z in zip(genotype.cells, PAPER.of_cells(weights)):
        assert cell == tuple(CELL_OPERATIONS[i] for i in z.argmax(-1))
    for edge, z in zip(DENSE.edges, weights[PAPER.cell_edges :], strict=True):
        assert edge.candidates[z.argmax()] == genotype.fusion[edge.name]


@pytest.mark.parametrize("fusion", ["dense", "none", "cas"])
@pytest.mark.parametrize("seed", range(3))
def test_prediction_is_of_what_is_built(fusion, seed, small_skeleton, make_table):
    skeleton = small_skeleton(fusion=fusion)
    table = make_table(skeleton, (32, 64))
    costs = CostModel(table, skeleton, (32, 64))
    for number in range(10):
        genotype = sparse_genotype(skeleton, 10 * seed + number)
        try:
            network = Network(skeleton, (32, 64), genotype, "folded")
        except InputError:  # no path
            continue
        expected, units = built(table, network)
        assert units == len([u for u in network.units if "avg_pool" not in u])
        predicted = costs.predicted_latency(genotype)
        np.testing.assert_allclose(predicted, expected, rtol=1e-12)
        assert predicted < float(costs.expected_latency(one_hot_weights(genotype)))
        return
    pytest.fail("no network to look at")


def test_predictions_of_many_networks_are_those_of_each(costs):
    genotypes = [sparse_genotype(PAPER, seed) for seed in range(20)]
    together = costs.predicted_latencies(np.stack([*(g.choice for g in genotypes)]))
    alone = [costs.predicted_latency(genotype) for genotype in genotypes]
    np.testing.assert_allclose(together, alone, rtol=1e-12)


def test_predictions_add_up_a_derived_networks_work(table, costs, derived_work):
    for seed in range(5):
        genotype = sparse_genotype(PAPER, seed)
        (*work, _) = derived_work(genotype, workloads(PAPER, SIZE))  # no argmax
        expected = sum(table[workload] for workload in work)
        predicted = costs.predicted_latency(genotype)
        np.testing.assert_allclose(predicted, expected, rtol=1e-12)


def test_argmax_constant_and_calibrated_times_count(table, costs):
    argmax = workloads(PAPER, SIZE).argmax
    entries = {**table.entries, argmax.key: LatencyEntry(70.0, 1.0, 3)}
    with_argmax = dataclasses.replace(table, entries=entries)
    found = CostModel(with_argmax, PAPER, SIZE)
    assert found.unavoidable_us == pytest.approx(costs.unavoidable_us + 70.0)
    times = {key: 2.0 * entry.median_us for key, entry in entries.items()}
    calibration = Calibration(times, 500.0, 2.0, 0.02, 0.1, {"a": 1.0}, 0.5, 0.01)
    calibrated = dataclasses.replace(with_argmax, calibration=calibration)
    genotype = dense_genotype(PAPER, 0)
    expected = 2.0 * found.predicted_latency(genotype) + 500.0
    doubled = CostModel(calibrated, PAPER, SIZE)
    found = doubled.predicted_latency(genotype)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    weights = one_hot_weights(genotype)
    np.testing.assert_allclose(
        float(doubled.expected_latency(weights)), expected, rtol=1e-6
    )


def test_none_costs_what_no_network_leaves_out(costs):
    bare = uniform(PAPER, "none")
    assert costs.predicted_latency(bare) == pytest.approx(costs.unavoidable_us)


def test_what_stems_from_empty_taps_is_constant(costs):
    """Of P4, P8 and P16 the first alone is there: P4->S16, P4->R8, P4->Q4."""
    none = ("none",) * 5
    cells = (("conv_3x3",) + none[1:], *(none,) * 13)
    genotype = dataclasses.replace(uniform(PAPER, "conv_3x3"), cells=cells)
    rows = dict(zip(genotype.fusion, costs.costs[PAPER.cell_edges :], strict=True))
    fusion = {name: row for name, row in rows.items() if "P4" in name}
    assert len(fusion) == 3
    expected = (
        costs.unavoidable_us
        + costs.inputs[0, 0]
        + costs.cells[0, 0, CELL_OPERATIONS.index("conv_3x3")]
        + costs.taps[0]
    )
    assert {genotype.fusion[name] for name in fusion} == {"conv_3x3"}  # merged
    place = FUSION_OPERATIONS.index("conv_3x3")
    expected += fusion["P4->S16"][place]
    np.testing.assert_allclose(costs.predicted_latency(genotype), expected, rtol=1e-9)


def test_cells_after_the_last_tap_cost_nothing(make_table, random_z):
    skeleton = Skeleton(fusion_taps=(0, 7, 10))
    costs = CostModel(make_table(skeleton, SIZE), skeleton, SIZE)
    assert costs.cells.shape == (11, 5, 8)
    weights = random_z(skeleton)
    before = float(costs.expected_latency(weights))
    weights[55 : skeleton.cell_edges] = 0.0
    assert float(costs.expected_latency(weights)) == before
    weights[50:55] = 0.0
    assert float(costs.expected_latency(weights)) < before


@pytest.mark.parametrize("fusion, taps", [("aspp", 0), ("ppm", 0), ("cas", 2)])
def test_other_fusions_add_up(fusion, taps, make_table):
    skeleton = Skeleton(fusion=fusion)
    table = make_table(skeleton, SIZE)
    costs = CostModel(table, skeleton, SIZE)
    assert len(costs.taps) == taps
    genotype = uniform(skeleton, "conv_3x3")  # nothing is dead
    work = workloads(skeleton, SIZE)
    chosen = [edge[CELL_OPERATIONS.index("conv_3x3")] for c in work.cells for edge in c]
    for edge in work.fusion.values():
        chosen += [w for w in edge if w.operation in ("conv_3x3", "deconv_3x3")]
    expected = sum(table[workload] for workload in (*chosen, *work.fixed))
    predicted = costs.predicted_latency(genotype)
    np.testing.assert_allclose(predicted, expected, rtol=1e-6)
    found = float(costs.expected_latency(one_hot_weights(genotype)))
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_without_fusion_cell(make_table):
    skeleton = Skeleton(fusion="none")
    costs = CostModel(make_table(skeleton, SIZE), skeleton, SIZE)
    genotype = dense_genotype(skeleton, 0)
    found = float(costs.expected_latency(one_hot_weights(genotype)))
    np.testing.assert_allclose(costs.predicted_latency(genotype), found, rtol=1e-6)


def test_gradient_reaches_every_weight(costs, random_z):
    tf = pytest.importorskip("tensorflow")
    if keras.backend.backend() != "tensorflow":
        pytest.skip("takes the gradient with TensorFlow")
    values = random_z(PAPER)
    weights = tf.Variable(values)
    with tf.GradientTape() as tape:
        latency = costs.expected_latency(weights)
    gradients = tf.convert_to_tensor(tape.gradient(latency, weights)).numpy()
    np.testing.assert_allclose(PAPER.of_cells(gradients), costs.cells, rtol=1e-6)
    for edge in range(PAPER.cell_edges, len(PAPER.edges)):
        (group,) = [g for g in costs.groups if edge in g.edge_indices]
        count = len(group.costs)
        assert (gradients[edge, :count] > 0).all() and not gradients[edge, count:].any()
        others = [
            values[other, :count] for other in group.edge_indices if other != edge
        ]
        left = np.prod([1.0 - z for z in others] or [np.ones(1)], axis=0)
        expected = np.where(group.merged, left, 1.0) * costs.costs[edge, :count]
        np.testing.assert_allclose(gradients[edge, :count], expected, rtol=1e-5)


@pytest.mark.parametrize("latency_us", [1.0, 8680.0, 120_000.0])
def test_loss_is_eq_10(latency_us):
    latency = ops.convert_to_tensor(latency_us, "float32")
    log = float(LatencyLoss()(latency))
    np.testing.assert_allclose(
        log, np.float64(0.005) * np.log(np.float64(latency_us)), rtol=1e-5
    )
    linear = float(LatencyLoss(0.02, "linear")(latency))
    np.testing.assert_allclose(linear, 0.02 * latency_us / 1000, rtol=1e-5)


@pytest.mark.parametrize("form, above", [("log", np.log(1.25)), ("linear", 2.0)])
def test_loss_of_a_target_is_zero_there(form, above):
    loss = LatencyLoss(3.0, form, target_us=8000.0)
    assert float(loss(ops.convert_to_tensor(8000.0))) == pytest.approx(0, abs=1e-6)
    found = float(loss(ops.convert_to_tensor(10_000.0)))
    np.testing.assert_allclose(found, 3.0 * above, rtol=1e-5)


def test_loss_follows_a_variable_weight():
    weight = keras.Variable(0.0)
    loss = LatencyLoss(weight)
    latency = ops.convert_to_tensor(1000.0)
    assert float(loss(latency)) == 0.0
    weight.assign(1.0)
    np.testing.assert_allclose(float(loss(latency)), np.log(1000.0), rtol=1e-6)


def test_unknown_form():
    with pytest.raises(InputError, match="log, linear.*Received: 'square'"):
        LatencyLoss(form="square")


def test_table_of_another_size(table):
    with pytest.raises(InputError, match="input 1024x2048, but 360x480"):
        CostModel(table, PAPER, (360, 480))


def test_genotype_of_another_skeleton(costs, tiny):
    with pytest.raises(InputError, match="another skeleton"):
        costs.predicted_latency(uniform(tiny, "conv_3x3"))
