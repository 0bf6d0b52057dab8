"""A search that draws Z of each image of a batch."""

import numpy as np
import pytest
from keras import ops

from lgcnet_tf.architecture_search.build import build_search_model
from lgcnet_tf.latency.estimate import CostModel


@pytest.fixture(scope="module")
def search(make_options, make_table, few_operations):
    options = make_options(sampling="per_image", with_fusion=True, **few_operations)
    skeleton = options.skeleton(5)
    cost = CostModel(
        make_table(skeleton, options.input_size), skeleton, options.input_size
    )
    return build_search_model(options, skeleton, cost, steps=10), cost


def drawn(model, count):
    """What the next step draws, (count, E, C)."""
    noise = model.architecture.noise.state
    state = np.array(noise)
    z = model.architecture(temperature=1.0, training=True, batch=count)
    noise.assign(state)
    return np.asarray(z)


def test_each_image_has_noise_of_its_own(search):
    model, _ = search
    z = drawn(model, 3)
    mask = model.architecture.skeleton.candidate_mask
    assert z.shape == (3, *mask.shape)
    np.testing.assert_allclose(z.sum(-1), 1.0, rtol=1e-5)
    assert not z[:, ~mask].any()
    for one, other in ((0, 1), (0, 2), (1, 2)):
        several = mask.sum(-1) > 1
        assert (z[one][several] != z[other][several]).any(-1).all()


def test_its_noise_is_gumbels(search):
    """P(argmax) = softmax(α), of many images (Eq. 4)."""
    model, _ = search
    alpha = np.array(model.architecture.alpha)
    first = np.arange(alpha.shape[1]) == 0
    model.architecture.alpha.assign(alpha + 1.5 * first)
    expected = model.architecture.probabilities()
    best = drawn(model, 4000).argmax(-1)
    model.architecture.alpha.assign(alpha)
    found = (best[..., None] == np.arange(alpha.shape[1])).mean(0)
    np.testing.assert_allclose(found, expected, atol=0.04)


def test_an_image_is_seen_through_its_own_mixture(search, make_batch):
    model, _ = search
    images = make_batch(3)[0]
    z = drawn(model, 3)
    last = np.moveaxis(z, 0, -1)[..., None, None, None]
    together = model.network(images, weights=ops.convert_to_tensor(last))
    for index in range(3):
        alone = model.network(images[index : index + 1], weights=z[index])
        np.testing.assert_allclose(together[index], alone[0], rtol=1e-3, atol=1e-4)


def test_a_step_charges_their_mean_and_moves_every_alpha(search, make_batch):
    model, cost = search
    z = drawn(model, 4)
    charged = float(cost.expected_latency(z.mean(0)))
    before = np.array(model.architecture.alpha)
    logs = model.train_on_batch(*make_batch(4), return_dict=True)
    assert float(logs["expected_latency_ms"]) == pytest.approx(charged / 1e3, rel=1e-5)
    assert np.isfinite(float(logs["loss"]))
    moved = np.array(model.architecture.alpha) != before
    np.testing.assert_array_equal(moved, model.architecture.skeleton.candidate_mask)
