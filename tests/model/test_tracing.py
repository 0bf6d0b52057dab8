"""Parts that share a trace compute what they would on their own."""

import numpy as np
import pytest
import tensorflow as tf

from lgcnet_tf.model.cell import MixedOp
from lgcnet_tf.model.form import Form
from lgcnet_tf.model.tracing import SharedTraces
from lgcnet_tf.space.operations import CELL_OPERATIONS

SHAPE = (2, 8, 6, 4)


def make_edges(randomise, traces=None, sampling="soft"):
    """Two edges of equal form and different weights."""
    edges = [
        MixedOp(CELL_OPERATIONS, 4, 1, SHAPE[1:3], Form("search", sampling, traces))
        for _ in range(2)
    ]
    for seed, edge in enumerate(edges):
        edge.build(SHAPE)
        randomise(edge, seed=seed)
    return edges


def run(edges, training):
    """Outputs, gradients of Z, input and weights, and the statistics afterwards."""
    draw = np.random.default_rng(0)
    x = tf.constant(draw.normal(size=SHAPE), "float32")
    z = tf.constant(draw.dirichlet(np.ones(8), 2), "float32")
    weights = [v.value for edge in edges for v in edge.trainable_variables]

    @tf.function(autograph=False)
    def step():
        with tf.GradientTape() as tape:
            tape.watch([x, z])
            first = edges[0](x, z[0], training=training)
            y = edges[1](first, z[1], training=training)
            loss = tf.reduce_sum(y**2)
        return y, tape.gradient(loss, [x, z, weights])

    found = [np.asarray(a) for a in tf.nest.flatten(step())]
    return found + [
        np.asarray(v) for edge in edges for v in edge.non_trainable_variables
    ]


@pytest.mark.parametrize("training", [True, False])
def test_equals_separate_calls(randomise, training):
    traces = SharedTraces()
    shared = run(make_edges(randomise, traces), training)
    alone = run(make_edges(randomise), training)
    for mine, theirs in zip(shared, alone, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-3, atol=1e-3)
    assert len(traces._functions) == 1  # both edges went through one


def test_training_and_inference_have_traces_of_their_own(randomise):
    edges = make_edges(randomise, SharedTraces())
    variance = edges[0].non_trainable_variables[-1]
    before = np.array(variance)
    run(edges, False)
    np.testing.assert_array_equal(variance, before)
    run(edges, True)
    assert np.abs(np.array(variance) - before).max() > 1e-4


def test_without_updates_no_variable_is_assigned(randomise):
    """A sampled candidate changes no statistic; nor does the shared graph."""
    edges = make_edges(randomise, SharedTraces(), "hard")
    x, z = np.ones(SHAPE, "float32"), np.eye(8, dtype="float32")[3]
    before = edges[0].get_weights()
    assert np.isfinite(edges[0](x, z, training=True)).all()
    for mine, theirs in zip(before, edges[0].get_weights()):
        np.testing.assert_array_equal(mine, theirs)
