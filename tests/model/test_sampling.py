"""Hard sampling: one candidate of each edge, forward and backward."""

import numpy as np
import pytest
import tensorflow as tf

from lgcnet_tf.architecture_search.architecture import gumbel_softmax, straight_through
from lgcnet_tf.model.cell import MixedOp
from lgcnet_tf.model.form import Form
from lgcnet_tf.model.network import Network
from lgcnet_tf.space.genotype import fusion_candidates
from lgcnet_tf.space.operations import CELL_OPERATIONS

SIZE = (32, 32)


@pytest.fixture(scope="module")
def skeleton(small_skeleton):
    return small_skeleton(num_cells=3, reduction_cells=(1, 2), fusion_taps=(0, 1, 2))


@pytest.fixture(scope="module")
def hard(skeleton, randomise):
    return randomise(Network(skeleton, SIZE, sampling="hard"))


@pytest.fixture(scope="module")
def picks(skeleton):
    """Every candidate is somewhere; `none` comes first in the list, so once."""
    cells = np.arange(15).reshape(3, 5) % 7 + 1
    cells[2, 1] = 0
    names = fusion_candidates(skeleton)
    return cells, {e: i % len(names[e]) for i, e in enumerate(names)}


@pytest.fixture(scope="module")
def one_hot(skeleton, picks):
    cells, fusion = picks
    return tf.one_hot([*cells.ravel(), *fusion.values()], 10)


@pytest.fixture(scope="module")
def gradients(hard, one_hot, images):
    with tf.GradientTape() as tape:
        tape.watch(one_hot)
        logits = hard(images(*SIZE, batch=3), weights=one_hot, training=True)
        loss = tf.reduce_sum(logits**2)
    weights = [v.value for v in hard.trainable_variables]
    return tape.gradient(loss, {"z": one_hot, "w": weights})


def test_a_hard_network_is_the_soft_one_at_one_hot_weights(
    skeleton, hard, one_hot, images
):
    soft = Network(skeleton, SIZE)
    soft.set_weights(hard.get_weights())
    x = images(*SIZE, batch=3)
    for path, unit in soft.units.items():
        if "/edge_" in path:
            unit.norm.use_batch_statistics = True
    expected = soft(x, weights=one_hot, training=True)
    found = hard(x, weights=one_hot, training=True)
    np.testing.assert_allclose(found, expected, atol=2e-5)


def test_only_the_chosen_candidates_learn(hard, picks, skeleton, gradients):
    cells, fusion = picks
    chosen = {
        f"cell_{k}/{edge.name}/{CELL_OPERATIONS[cells[k, e]]}"
        for k in range(3)
        for e, edge in enumerate(hard.cells[str(k)].edges.values())
    }
    names = fusion_candidates(skeleton)
    chosen |= {
        f"fusion/{edge.name}/{names[name][fusion[name]]}"
        for name, edge in hard.fusion.edges.items()
    }
    learns = {
        path: any(
            np.any(gradients["w"][i])
            for i, v in enumerate(hard.trainable_variables)
            if any(v is w for w in unit.trainable_variables)
        )
        for path, unit in hard.units.items()
        if "/edge_" in path and unit.trainable_variables
    }
    assert {path for path, does in learns.items() if does} == chosen & set(learns)


def test_z_of_the_chosen_alone_has_a_gradient(gradients, picks):
    z = np.asarray(gradients["z"])[:15]
    chosen = z[np.arange(15), picks[0].ravel()]
    assert np.count_nonzero(z) == np.count_nonzero(chosen) == 14
    assert chosen[11] == 0  # `none` is zero whatever its Z


def test_no_variable_of_a_candidate_changes_in_a_call(hard, one_hot, images):
    units = [u for path, u in hard.units.items() if "/edge_" in path]
    before = [w for unit in units for w in unit.get_weights()]
    hard(images(*SIZE, batch=3), weights=one_hot, training=True)
    after = [w for unit in units for w in unit.get_weights()]
    for old, new in zip(before, after, strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize("operation", ["none", "conv_3x3", "max_pool_3x3"])
def test_alpha_gets_its_gradient_by_the_straight_through_term(oracle, operation):
    """d loss/d α = o_i · ∂Z_i/∂α with ∂Z_i/∂α_k = Z_i (δ_ik - Z_k) / τ, in NumPy."""
    generator = np.random.default_rng(0)
    x = generator.normal(size=(2, 6, 4, 3))
    pull = generator.normal(size=(2, 6, 4, 3))  # d loss / d output
    alpha, noise = generator.normal(size=8), generator.normal(size=8)
    index, tau = CELL_OPERATIONS.index(operation), 0.7
    noise[index] = 6.0
    edge = MixedOp(CELL_OPERATIONS, 3, 1, (6, 4), Form("search", "hard"))
    edge.build(x.shape)

    logits = tf.constant(alpha, "float32")
    with tf.GradientTape() as tape:
        tape.watch(logits)
        z = straight_through(gumbel_softmax(logits, noise.astype("float32"), tau))
        y = edge(x.astype("float32"), z, training=True)
        loss = tf.reduce_sum(y * pull.astype("float32"))
    found = tape.gradient(loss, logits, unconnected_gradients="zero")

    if operation == "none":
        out = np.zeros_like(x)
    elif operation == "conv_3x3":
        kernel = np.asarray(edge.candidates[index].conv.kernel, "float64")
        out = oracle.conv(oracle.relu(x), kernel)
    else:
        out = oracle.max_pool(x)
    out = out - out.mean((0, 1, 2))
    out /= np.sqrt((out**2).mean((0, 1, 2)) + 1e-5)
    np.testing.assert_allclose(y, out, atol=1e-5)
    soft = np.exp((alpha + noise) / tau)
    soft /= soft.sum()
    expected = (pull * out).sum() * soft[index] * (np.eye(8)[index] - soft) / tau
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_an_edge_of_one_candidate_stays_as_it_is(randomise):
    edge = MixedOp(("conv_3x3",), 3, 1, (6, 4), Form("search", "hard"))
    x = np.random.default_rng(0).normal(size=(2, 6, 4, 3)).astype("float32")
    edge(x)
    randomise(edge)
    other = MixedOp(("conv_3x3",), 3, 1, (6, 4), Form("search"))
    other.build(x.shape)
    other.set_weights(edge.get_weights())
    expected = other(x, training=False)
    np.testing.assert_array_equal(edge(x, training=False), expected)
