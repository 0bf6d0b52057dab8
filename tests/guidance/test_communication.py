import keras
import numpy as np
import pytest
from keras import ops

from lgcnet_tf.guidance.communication import Communication
from lgcnet_tf.guidance.settings import WIDTH, guidance_rate

SHAPE = (14, 5, 8)
REDUCTIONS = [k in (1, 8) for k in range(14)]


def message(pair, alpha, previous):
    """Φ2(G(Φ1(α'))) of one module in float64."""
    w1, w2, w = (np.asarray(v, "float64") for v in (pair.w1, pair.w2, pair.w))
    (k1, b1), (k2, b2) = (
        (np.asarray(phi.kernel, "float64"), np.asarray(phi.bias, "float64"))
        for phi in (pair.phi1, pair.phi2)
    )
    scores = np.exp((alpha @ w1) @ (previous @ w2).T)
    adjacency = scores / scores.sum(axis=1, keepdims=True)
    x = previous @ k1 + b1
    return (adjacency @ x @ w + x) @ k2 + b2


@pytest.fixture
def alpha():
    return np.random.default_rng(3).normal(size=SHAPE) * 0.5


@pytest.fixture
def communication(randomise):
    layer = Communication("ggm", REDUCTIONS)
    layer.build(SHAPE)
    for pair in layer.pairs:
        randomise(pair, seed=int(pair.name.split("_")[1]))
        for kernel in (pair.w, pair.phi1.kernel, pair.phi2.kernel):
            kernel.assign(kernel * 0.3)  # 13 messages in a row stay finite
    return layer


def test_one_module_per_adjacent_pair(communication):
    assert [pair.name for pair in communication.pairs] == [
        f"ggm_{k}" for k in range(1, 14)
    ]
    assert len(communication.trainable_variables) == 13 * 7


def test_chain_takes_the_updated_logits_of_the_cell_before(communication, alpha):
    expected = [alpha[0]]
    for k, pair in enumerate(communication.pairs, start=1):
        expected.append(alpha[k] + 0.5 * message(pair, alpha[k], expected[-1]))

    updated = ops.convert_to_numpy(communication(alpha.astype("float32")))

    np.testing.assert_allclose(updated, np.stack(expected), rtol=1e-3, atol=1e-4)
    from_not_updated = alpha[2] + 0.5 * message(
        communication.pairs[1], alpha[2], alpha[1]
    )
    assert np.abs(updated[2] - from_not_updated).max() > 1e-2


def test_a_message_travels_beyond_the_next_cell(communication, alpha):
    changed = alpha.copy()
    changed[0] += np.random.default_rng(4).normal(size=alpha.shape[1:])
    before, after = (
        ops.convert_to_numpy(communication(a.astype("float32")))
        for a in (alpha, changed)
    )
    assert np.abs(before - after)[1:4].max(axis=(1, 2)).min() > 1e-4


def test_the_first_cell_is_left_alone(communication, alpha):
    updated = ops.convert_to_numpy(communication(alpha.astype("float32")))
    np.testing.assert_array_equal(updated[0], alpha[0].astype("float32"))


def test_none_changes_nothing_and_has_no_weights(alpha):
    layer = Communication("none", REDUCTIONS)
    layer.build(SHAPE)
    updated = ops.convert_to_numpy(layer(alpha.astype("float32")))
    np.testing.assert_array_equal(updated, alpha.astype("float32"))
    assert not layer.weights


@pytest.mark.parametrize("width", [16, 32, 128, 256])
@pytest.mark.parametrize("mode", ["ggm", "ggm_operation"])
def test_widths_of_table_viii(mode, width, alpha):
    layer = Communication(mode, REDUCTIONS, width=width)
    layer.build(SHAPE)
    assert layer.pairs[0].w.shape == (width, width)
    assert layer(alpha.astype("float32")).shape == SHAPE


def test_gamma_scales_the_message(alpha):
    changes = []
    for gamma in (0.0, 0.25, 0.5):
        layer = Communication("fc", REDUCTIONS[:2], gamma=gamma)
        layer.build((2, 5, 8))
        layer.pairs[0].dense.kernel.assign(np.eye(40))
        updated = ops.convert_to_numpy(layer(alpha[:2].astype("float32")))
        changes.append(updated[1] - alpha[1])
    np.testing.assert_allclose(changes[0], 0.0, atol=1e-6)
    np.testing.assert_allclose(changes[2], 2 * changes[1], atol=1e-6)


def test_operation_identity_reasons_over_forty_nodes(alpha, randomise):
    """Table IX: A is softmax of the outer product of the flattened logits."""
    layer = Communication("ggm_operation", REDUCTIONS[:2], width=16)
    layer.build((2, 5, 8))
    (pair,) = layer.pairs
    randomise(pair, seed=1)
    current, previous = (a.reshape(40, 1) for a in (alpha[1], alpha[0]))
    expected = current + 0.5 * message(pair, current, previous)

    updated = ops.convert_to_numpy(layer(alpha[:2].astype("float32")))

    np.testing.assert_allclose(updated[1], expected.reshape(5, 8), rtol=1e-4, atol=1e-5)
    assert pair.adjacency(
        current.astype("float32"), previous.astype("float32")
    ).shape == (40, 40)


def test_fully_connected_over_the_flattened_logits(alpha, randomise):
    layer = Communication("fc", REDUCTIONS[:3])
    layer.build((3, 5, 8))
    expected = [alpha[0]]
    for k, pair in enumerate(layer.pairs, start=1):
        randomise(pair, seed=k)
        kernel, bias = (np.asarray(w, "float64") for w in pair.dense.weights)
        flat = expected[-1].reshape(-1) @ kernel + bias
        expected.append(alpha[k] + 0.5 * flat.reshape(5, 8))

    updated = ops.convert_to_numpy(layer(alpha[:3].astype("float32")))

    np.testing.assert_allclose(updated, np.stack(expected), rtol=1e-4, atol=1e-4)


def test_shared_cells_are_of_two_kinds(alpha):
    layer = Communication("shared", REDUCTIONS)
    layer.build((2, 5, 8))
    assert layer.num_kinds == 2 and not layer.weights
    updated = ops.convert_to_numpy(layer(alpha[:2].astype("float32")))
    for cell, reduction in zip(updated, REDUCTIONS, strict=True):
        np.testing.assert_array_equal(cell, alpha[int(reduction)].astype("float32"))


def test_unknown_mode():
    with pytest.raises(ValueError, match="telepathy"):
        Communication("telepathy", REDUCTIONS)


@pytest.mark.parametrize("cells", [4, 8])
def test_at_the_usual_rate_messages_do_not_outrun_alpha(cells):
    import tensorflow as tf

    keras.utils.set_random_seed(0)
    communication = Communication("ggm", [False] * cells)
    communication.build((cells, 5, 8))
    start = 1e-3 * np.random.default_rng(0).normal(size=(cells, 5, 8))
    alpha = keras.Variable(start.astype("float32"))
    weights = communication.trainable_variables
    rates = 0.01, guidance_rate(0.01, WIDTH, cells)
    adams = [keras.optimizers.Adam(rate, beta_1=0.5, beta_2=0.999) for rate in rates]
    for adam, variables in zip(adams, ([alpha], weights)):
        adam.build(variables)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            loss = -ops.sum(ops.log_softmax(communication(alpha))[..., 0])
        own, *others = tape.gradient(loss, [alpha.value, *(w.value for w in weights)])
        adams[0].apply([own], [alpha])
        adams[1].apply(others, weights)

    for _ in range(100):  # every edge wants the same
        step()
    alpha = ops.convert_to_numpy(alpha)
    messages = ops.convert_to_numpy(communication(alpha)) - alpha
    spread = messages[1:].std((1, 2)) / alpha[1:].std((1, 2))
    assert spread.min() > 0.2 and spread.max() < 3.0  # of the last as of the first
