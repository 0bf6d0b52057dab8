"""The first training step of a real search model."""

import numpy as np
import pytest

from lgcnet_tf.architecture_search.build import build_search_model
from lgcnet_tf.latency.estimate import CostModel


class Step:
    """What a model was before its first step, and what the step did.

    Without L2, SGD's first velocity is the gradient times minus the rate and
    Adam's first moment is the gradient times 1 - β1.
    """

    def __init__(self, model, images, labels):
        self.model = model
        self.before = values(model.variables)
        self.z = model.architecture(temperature=1.0, training=True)
        self.logits = np.asarray(
            model.network(images, weights=self.z, training=True), "float64"
        )
        for variable in model.variables:  # noise and statistics as they were
            variable.assign(self.before[variable.path])
        logs = model.train_on_batch(images, labels, return_dict=True)
        self.logs = {name: float(value) for name, value in logs.items()}
        self.after = values(model.variables)
        self.network = [v.path for v in model.network.trainable_variables]
        self.architecture = [v.path for v in model.architecture.trainable_variables]
        inner = model.optimizer.inner
        sgd, adam, guidance = (
            inner[name] for name in ("weights", "architecture", "communication")
        )
        self.paths = {
            name: [v.path for v in optimizer._trainable_variables]
            for name, optimizer in inner.items()
        }
        self.gradients = {
            path: np.asarray(slot) / factor
            for paths, slots, factor in (
                (self.paths["weights"], sgd.momentums, -0.025),
                (self.paths["architecture"], adam._momentums, 1 - 0.5),
                (self.paths["communication"], guidance._momentums, 1 - 0.5),
            )
            for path, slot in zip(paths, slots, strict=True)
        }


def values(variables):
    return {v.path: np.array(v) for v in variables}


@pytest.fixture(scope="module")
def batch(make_batch):
    return make_batch(4)


@pytest.fixture(scope="module")
def step(make_options, make_table, batch, few_operations):
    options = make_options(
        with_fusion=True, alpha_l2=0.0, weight_l2=0.0, **few_operations
    )
    skeleton = options.skeleton(5)
    table = make_table(skeleton, options.input_size)
    cost_model = CostModel(table, skeleton, options.input_size)
    return Step(build_search_model(options, skeleton, cost_model, steps=10), *batch)


def test_each_optimiser_has_its_own_variables(step):
    assert step.architecture
    alpha, guidance = step.paths["architecture"], step.paths["communication"]
    assert set(alpha) | set(guidance) == set(step.architecture)
    assert alpha == ["architecture/alpha"]
    assert all("ggm_" in path for path in guidance)
    assert set(step.paths["weights"]) == set(step.network)


def test_gradients_reach_every_alpha(step):
    """Cells' and fusion cell's, but not what an edge has not."""
    gradient = step.gradients["architecture/alpha"]
    mask = step.model.architecture.skeleton.candidate_mask
    assert gradient.shape == mask.shape and len(mask) == 3 * 5 + 13
    assert np.isfinite(gradient).all()
    np.testing.assert_array_equal(gradient != 0, mask)


@pytest.mark.parametrize("pair", [1, 2])
@pytest.mark.parametrize(
    "weight",
    ["w1", "w2", "w", "phi1/kernel", "phi1/bias", "phi2/kernel", "phi2/bias"],
)
def test_gradients_reach_every_guidance_weight(step, pair, weight):
    gradient = step.gradients[f"architecture/communication/ggm_{pair}/{weight}"]
    assert np.isfinite(gradient).all()
    assert np.mean(gradient != 0) > 0.9


def test_there_are_no_other_variables_of_the_architecture(step):
    assert len(step.architecture) == 1 + 2 * 7


def test_gradients_reach_every_weight_of_the_supernet(step):
    assert not [path for path in step.network if not step.gradients[path].any()]


def test_weights_move_by_their_gradient(step):
    for path in step.network:
        expected = step.before[path] - 0.025 * step.gradients[path]
        np.testing.assert_allclose(step.after[path], expected, atol=1e-6)


def test_architecture_moves_by_adams_first_step(step):
    for path in step.architecture:
        gradient = step.gradients[path]
        rate = 1e-3 / (6 * 2 if "ggm_" in path else 1)  # by width and number of modules
        root = np.sqrt(1 - 0.999)  # of the bias correction; 1e-7 is Keras' epsilon
        expected = -rate * root * gradient / (root * np.abs(gradient) + 1e-7)
        moved = step.after[path] - step.before[path]
        np.testing.assert_allclose(moved, expected, atol=2e-6)


def test_both_optimisers_step_once(step):
    joint = step.model.optimizer
    assert [int(o.iterations) for o in (joint, *joint.inner.values())] == [1] * 4


def test_loss_is_cross_entropy_and_latency(step, batch):
    """The logged loss, against the definition at the same noise."""
    _, labels = batch
    log_p = step.logits - np.log(np.exp(step.logits).sum(-1, keepdims=True))
    valid = labels != 255
    chosen = np.where(valid, labels, 0)[..., None]
    pixels = -np.take_along_axis(log_p, chosen, -1)[..., 0]
    entropy = np.mean([p[v].mean() for p, v in zip(pixels, valid)])
    latency_us = float(step.model.cost_model.expected_latency(step.z))
    logged = step.logs["expected_latency_ms"]
    assert logged == pytest.approx(latency_us / 1000, rel=1e-5)
    expected = entropy + 0.005 * np.log(latency_us)
    assert step.logs["loss"] == pytest.approx(expected, rel=1e-4)


def test_inference_has_no_noise_and_adds_no_loss(step, batch):
    model, images = step.model, batch[0][:2]
    first, second = (np.asarray(model(images, training=False)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert first.shape == (2, 32, 64, 5)
    assert not model.losses
