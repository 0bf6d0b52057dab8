"""A search with hard sampling: its first step, its latency, what it refuses."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from lgcnet_tf.architecture_search.architecture import check_sampling, straight_through
from lgcnet_tf.architecture_search.build import build_search_model
from lgcnet_tf.errors import InputError
from lgcnet_tf.latency.estimate import CostModel
from lgcnet_tf.space.operations import CELL_OPERATIONS


@pytest.fixture(scope="module")
def search(make_options, make_table):
    options = make_options(sampling="hard", communication="none")
    skeleton = options.skeleton(5)
    cost = CostModel(
        make_table(skeleton, options.input_size), skeleton, options.input_size
    )
    return build_search_model(options, skeleton, cost, steps=10), cost


def test_z_is_one_hot_and_its_gradient_is_zs():
    z = tf.constant([[0.2, 0.5, 0.3], [0.7, 0.1, 0.2]])
    factor = tf.constant([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    with tf.GradientTape() as tape:
        tape.watch(z)
        hard = straight_through(z)
        loss = tf.reduce_sum(hard * factor)
    np.testing.assert_array_equal(hard, [[0, 1, 0], [1, 0, 0]])
    np.testing.assert_array_equal(tape.gradient(loss, z), factor)


def test_a_step_charges_the_sampled_path_and_moves_alpha(search, make_batch):
    model, cost = search
    noise = model.architecture.noise.state
    state = np.array(noise)
    z = model.architecture(temperature=1.0, training=True)
    noise.assign(state)
    best = np.asarray(z).argmax(-1)
    sampled = cost.unpruned_us + cost.costs[np.arange(10), best].sum()
    before = model.get_weights()
    names = [v.path for v in model.variables]
    logs = model.train_on_batch(*make_batch(4), return_dict=True)
    assert float(logs["expected_latency_ms"]) == pytest.approx(sampled / 1e3, rel=1e-5)
    assert np.isfinite(float(logs["loss"]))
    moved = {
        path: not np.array_equal(old, new)
        for path, old, new in zip(names, before, model.get_weights())
    }
    assert moved["architecture/alpha"]


def test_without_noise_it_is_the_derived_network(search, make_batch):
    """Inference evaluates the argmax of α'."""
    model, _ = search
    z = model.architecture(temperature=1.0, training=False)
    names = np.array(CELL_OPERATIONS)[np.asarray(z).argmax(-1).reshape(2, 5)]
    assert tuple(map(tuple, names)) == model.architecture.derive().cells
    logits = model(make_batch(2)[0], training=False)
    assert np.isfinite(np.asarray(logits)).all()


def test_several_replicas_are_refused():
    check_sampling("hard", 1)
    check_sampling("soft", 4)
    with pytest.raises(InputError, match="--sampling=hard.*one device.*2 devices"):
        check_sampling("hard", 2)


def test_other_samplings_are_refused(make_options):
    with pytest.raises(
        InputError, match="--sampling must be one of soft, per_image, hard"
    ):
        dataclasses.replace(make_options(), sampling="top2").check()
