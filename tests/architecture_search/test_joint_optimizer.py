import keras
import numpy as np
import pytest

from lgcnet_tf.architecture_search.joint_optimizer import JointOptimizer
from lgcnet_tf.training.checkpoint import (
    load_checkpoint,
    restore,
    save_checkpoint,
    snapshot,
)
from lgcnet_tf.training.optimizers import SGD, Adam


@pytest.fixture
def model():
    """`y = (x · kernel + bias) · kernel`, the second layer is the architecture."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((3,))
    x = keras.layers.Dense(4, name="weights")(inputs)
    outputs = keras.layers.Dense(1, use_bias=False, name="architecture")(x)
    model = keras.Model(inputs, outputs)
    optimizer = JointOptimizer(
        SGD(0.1, momentum=0.9, l2=0.01), {"architecture": Adam(0.02, beta_1=0.5)}
    )
    optimizer.build(model.trainable_variables)
    model.compile(optimizer, "mse", jit_compile=False)
    return model


def batch():
    generator = np.random.default_rng(0)
    return (
        generator.normal(size=(8, 3)).astype("float32"),
        generator.normal(size=(8, 1)).astype("float32"),
    )


def values(variables):
    return [keras.ops.convert_to_numpy(v) for v in variables]


def test_each_of_the_two_knows_only_its_own_variables(model):
    inner = model.optimizer.inner
    kernel, bias, architecture = model.trainable_variables
    own = {name: o._trainable_variables for name, o in inner.items()}
    assert [id(v) for v in own["weights"]] == [id(kernel), id(bias)]
    assert [id(v) for v in own["architecture"]] == [id(architecture)]


def test_both_step_exactly_once_per_step(model):
    inner = model.optimizer.inner
    for count in (1, 2, 3):
        model.train_on_batch(*batch())
        assert int(model.optimizer.iterations) == count
        assert int(inner["weights"].iterations) == count
        assert int(inner["architecture"].iterations) == count


def test_each_variable_is_moved_by_its_own_optimiser_alone(model):
    x, y = (a.astype("float64") for a in batch())
    before = values(model.trainable_variables)
    kernel, bias, last = (a.astype("float64") for a in before)
    hidden = x @ kernel + bias
    error = 2 * (hidden @ last - y) / len(x)
    gradients = (x.T @ (error @ last.T), (error @ last.T).sum(0), hidden.T @ error)
    model.train_on_batch(*batch())
    moved = values(model.trainable_variables)
    sgd = [w - 0.1 * (g + 0.01 * w) for w, g in zip((kernel, bias), gradients)]
    for found, expected in zip(moved, sgd):
        np.testing.assert_allclose(found, expected, atol=1e-6)
    np.testing.assert_allclose(moved[2], last - 0.02 * np.sign(gradients[2]), atol=1e-5)


def test_gradients_of_one_group_only(model):
    kernel, _, architecture = model.trainable_variables
    before = values([kernel, architecture])
    model.optimizer.apply([keras.ops.ones_like(kernel)], [kernel])
    after = values([kernel, architecture])
    assert np.abs(after[0] - before[0]).min() > 0.05
    np.testing.assert_array_equal(after[1], before[1])


def test_learning_rate_is_the_weights(model):
    assert float(model.optimizer.learning_rate) == pytest.approx(0.1)


def test_scope_is_a_whole_part_of_the_path():
    variables = []
    for name in ("architecture", "architecture_like", "re_architecture"):
        layer = keras.layers.Dense(1, use_bias=False, name=name)
        layer.build((None, 2))
        variables += layer.trainable_variables
    optimizer = JointOptimizer(SGD(0.1), {"architecture": Adam(0.1)})
    optimizer.build(variables)
    names = [v.path for v in optimizer.inner["architecture"]._trainable_variables]
    assert names == ["architecture/kernel"]


def test_the_innermost_scope_counts():
    layer = keras.layers.Dense(2, name="communication")
    with keras.name_scope("architecture"):
        layer.build((None, 2))
    other = keras.layers.Dense(2, name="weights")
    with keras.name_scope("architecture"):
        other.build((None, 2))
    scopes = {"architecture": Adam(0.1), "communication": Adam(0.01)}
    optimizer = JointOptimizer(SGD(0.1), scopes)
    optimizer.build([*layer.trainable_variables, *other.trainable_variables])
    counts = {n: len(o._trainable_variables) for n, o in optimizer.inner.items()}
    assert counts == {"weights": 0, "architecture": 2, "communication": 2}


def test_saved_and_loaded_with_the_model(model, tmp_path):
    model.train_on_batch(*batch())
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert isinstance(loaded.optimizer, JointOptimizer)
    assert loaded.optimizer.inner["weights"].l2 == 0.01
    assert loaded.optimizer.inner["architecture"].beta_1 == 0.5
    for name, inner in model.optimizer.inner.items():
        other = loaded.optimizer.inner[name]
        assert len(other.variables) == len(inner.variables)
        for a, b in zip(values(inner.variables), values(other.variables)):
            np.testing.assert_array_equal(a, b)
    for _ in range(2):  # momentum and iterations decide what comes next
        model.train_on_batch(*batch())
        loaded.train_on_batch(*batch())
    trained = (values(m.trainable_variables) for m in (model, loaded))
    for a, b in zip(*trained, strict=True):
        np.testing.assert_array_equal(a, b)


def test_checkpoint_holds_both_states(model, tmp_path):
    model.train_on_batch(*batch())
    save_checkpoint(tmp_path, snapshot(model), {}, epoch=1)
    model.train_on_batch(*batch())
    expected = values(model.variables + model.optimizer.variables)
    for variable in model.variables + model.optimizer.variables:
        variable.assign(keras.ops.zeros_like(variable))
    restore(model, load_checkpoint(tmp_path))
    assert [int(o.iterations) for o in model.optimizer.inner.values()] == [1, 1]
    model.train_on_batch(*batch())
    for a, b in zip(values(model.variables + model.optimizer.variables), expected):
        np.testing.assert_array_equal(a, b)
