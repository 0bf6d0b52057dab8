import numpy as np
import pytest
from keras import ops

from lgcnet_tf.guidance import Communication

SHAPE = (14, 5, 8)


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
    layer = Communication()
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
    layer = Communication("none")
    layer.build(SHAPE)
    updated = ops.convert_to_numpy(layer(alpha.astype("float32")))
    np.testing.assert_array_equal(updated, alpha.astype("float32"))
    assert not layer.weights


def test_width_is_configurable():
    layer = Communication(width=16)
    layer.build(SHAPE)
    assert layer.pairs[0].w.shape == (16, 16)


def test_unknown_mode():
    with pytest.raises(ValueError, match="telepathy"):
        Communication("telepathy")
