"""Against PyTorch's update rules with `weight_decay`, in NumPy float64."""

import keras
import numpy as np
import pytest

from lgcnet_tf.training.optimizers import SGD, Adam, make_optimizer

STEPS = 20


@pytest.fixture
def problem():
    """A start and the gradients of some steps."""
    generator = np.random.default_rng(0)
    return generator.normal(size=(4, 3)), generator.normal(size=(STEPS, 4, 3))


def run(optimizer, start, gradients):
    variable = keras.Variable(start.astype("float32"))
    optimizer.build([variable])
    for gradient in gradients:
        optimizer.apply([keras.ops.convert_to_tensor(gradient, "float32")])
    return keras.ops.convert_to_numpy(variable)


def torch_sgd(w, gradients, lr, momentum, l2):
    velocity = np.zeros_like(w)
    for g in gradients:
        velocity = momentum * velocity + (g + l2 * w)
        w = w - lr * velocity
    return w


def torch_adam(w, gradients, lr, beta_1, beta_2, l2, epsilon=1e-8):
    m, v = np.zeros_like(w), np.zeros_like(w)
    for t, g in enumerate(gradients, start=1):
        g = g + l2 * w
        m = beta_1 * m + (1 - beta_1) * g
        v = beta_2 * v + (1 - beta_2) * g * g
        m_hat, v_hat = m / (1 - beta_1**t), v / (1 - beta_2**t)
        w = w - lr * m_hat / (np.sqrt(v_hat) + epsilon)
    return w


@pytest.mark.parametrize("l2", [0.0, 5e-4, 0.3])
def test_sgd(problem, l2):
    found = run(SGD(0.05, momentum=0.9, l2=l2), *problem)
    expected = torch_sgd(*problem, lr=0.05, momentum=0.9, l2=l2)
    np.testing.assert_allclose(found, expected, atol=2e-6)


@pytest.mark.parametrize("l2", [0.0, 1e-4, 0.3])
def test_adam(problem, l2):
    found = run(Adam(0.01, beta_1=0.5, beta_2=0.999, l2=l2), *problem)
    expected = torch_adam(*problem, lr=0.01, beta_1=0.5, beta_2=0.999, l2=l2)
    np.testing.assert_allclose(found, expected, atol=2e-5)


def test_keras_own_decay_is_another_one(problem):
    """Decoupled: it lacks the momentum, or these classes would be needless."""
    own = run(keras.optimizers.SGD(0.05, momentum=0.9, weight_decay=0.3), *problem)
    expected = torch_sgd(*problem, lr=0.05, momentum=0.9, l2=0.3)
    assert np.abs(own - expected).max() > 0.05


@pytest.mark.parametrize("kind", [SGD, Adam])
def test_survives_serialisation(kind):
    optimizer = kind(0.1, l2=0.25)
    other = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert type(other) is kind
    assert other.l2 == 0.25


def test_adamw_against_its_definition():
    generator = np.random.default_rng(0)
    value, gradients = generator.normal(size=5), generator.normal(size=(4, 5))
    variable = keras.Variable(value.astype("float32"))
    optimizer = make_optimizer("adamw", 0.01, 0.1)
    first, second = np.zeros(5), np.zeros(5)
    for step, gradient in enumerate(gradients, start=1):
        optimizer.apply([keras.ops.convert_to_tensor(gradient, "float32")], [variable])
        value = value * (1 - 0.01 * 0.1)
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * gradient**2
        corrected = first / (1 - 0.9**step), second / (1 - 0.999**step)
        value = value - 0.01 * corrected[0] / (np.sqrt(corrected[1]) + 1e-7)
    np.testing.assert_allclose(variable, value, rtol=1e-5)


def test_no_such_optimizer():
    with pytest.raises(ValueError, match="kind must be one of .* Received: 'lion'"):
        make_optimizer("lion", 0.1, 0.0)


def test_adamw_spares_biases_and_norms():
    """Only what is no kernel stays where it is when all gradients are 0."""
    layers = keras.layers.Conv2D(2, 1), keras.layers.BatchNormalization()
    for layer in layers:
        layer.build((None, 4, 4, 2))
    variables = [v for layer in layers for v in layer.trainable_variables]
    for variable in variables:
        variable.assign(np.ones(variable.shape))
    optimizer = make_optimizer("adamw", 0.5, 0.1)
    optimizer.build(variables)
    optimizer.apply([keras.ops.zeros(v.shape) for v in variables])
    found = {v.name: float(keras.ops.max(v)) for v in variables}
    assert found == pytest.approx({"kernel": 0.95, "bias": 1, "gamma": 1, "beta": 1})


def test_nesterov_by_sutskevers_rule(problem):
    """The momentum's step is made once more before the gradient's."""
    w, gradients = problem
    found = run(make_optimizer("sgd", 0.05, 0.0, nesterov=True), *problem)
    velocity = np.zeros_like(w)
    for g in gradients:
        velocity = 0.9 * velocity - 0.05 * g
        w = w + 0.9 * velocity - 0.05 * g
    np.testing.assert_allclose(found, w, atol=2e-6)
