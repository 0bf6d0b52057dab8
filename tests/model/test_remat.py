"""Rematerialisation changes memory and time, but no number."""

import numpy as np
import pytest
import tensorflow as tf

from lgcnet_tf.model.network import Network
from lgcnet_tf.space.genotype import Genotype, fusion_candidates
from lgcnet_tf.space.operations import CELL_OPERATIONS

SIZE = (32, 32)


@pytest.fixture(scope="module")
def skeleton(small_skeleton):
    return small_skeleton(num_cells=3, reduction_cells=(1, 2), fusion_taps=(0, 1, 2))


@pytest.fixture(scope="module")
def genotype(skeleton):
    cells = np.arange(15).reshape(3, 5) % 7 + 1
    cells[1] = 0  # a cell without any node: its output is None
    names = fusion_candidates(skeleton)
    return Genotype(
        skeleton,
        tuple(tuple(CELL_OPERATIONS[i] for i in cell) for cell in cells),
        {edge: ops[i % len(ops)] for i, (edge, ops) in enumerate(names.items())},
    )


def step(network, x, z):
    """Logits, gradients of weights and of Z, variables after the call."""
    weights = [v.value for v in network.trainable_variables]

    @tf.function(autograph=False)
    def run(x, z):
        with tf.GradientTape() as tape:
            watched = weights if z is None else [*weights, z]
            tape.watch(watched)
            logits = network(x, weights=z, training=True)
            loss = tf.reduce_mean(logits**2)
        return logits, tape.gradient(loss, watched)

    logits, gradients = run(x, z)
    leaves = [np.asarray(g) for g in gradients]
    return np.asarray(logits), leaves, network.get_weights()


@pytest.mark.parametrize("form", ["derived", "soft", "hard"])
def test_gradients_and_statistics_are_the_same(
    skeleton, small_skeleton, genotype, images, randomise, random_z, form
):
    x = images(*SIZE, batch=3)
    if form == "derived":
        settings, z = {"genotype": genotype}, None
    else:
        settings = {"sampling": form}
        skeleton = small_skeleton(num_cells=1, reduction_cells=(), fusion="none")
        z = tf.constant(random_z(skeleton, 1))
    plain = randomise(Network(skeleton, SIZE, **settings))
    remat = Network(skeleton, SIZE, remat=True, **settings)
    remat.set_weights(plain.get_weights())
    before = plain.get_weights()
    expected, found = step(plain, x, z), step(remat, x, z)
    np.testing.assert_allclose(found[0], expected[0], atol=1e-5)
    for a, b in zip(found[1], expected[1], strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5 * max(1.0, np.abs(b).max()))
    changed = 0
    for old, a, b in zip(before, found[2], expected[2], strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
        changed += not np.array_equal(old, b)
    assert changed >= 10
