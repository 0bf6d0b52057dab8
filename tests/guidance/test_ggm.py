import numpy as np
import pytest
from keras import ops

from lgcnet_tf.guidance.ggm import GCNGuidedModule

EDGES, OPERATIONS, WIDTH = 5, 8, 64


def weights(module):
    """The module's weights by name, float64."""
    named = {
        name: np.asarray(getattr(module, name), "float64") for name in ("w1", "w2", "w")
    }
    for phi in (module.phi1, module.phi2):
        named[phi.name] = np.asarray(phi.kernel, "float64")
        named[f"{phi.name}_bias"] = np.asarray(phi.bias, "float64")
    return named


def reference(alpha, previous, w, gamma):
    """Eq. 5–7 in float64."""
    scores = (alpha @ w["w1"]) @ (previous @ w["w2"]).T
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    adjacency = e / e.sum(axis=1, keepdims=True)
    x = previous @ w["phi1"] + w["phi1_bias"]
    graph = adjacency @ x @ w["w"] + x
    return alpha + gamma * (graph @ w["phi2"] + w["phi2_bias"])


@pytest.fixture
def module(randomise):
    module = GCNGuidedModule()
    module.build((EDGES, OPERATIONS))
    return randomise(module)


@pytest.fixture
def alphas():
    return np.random.default_rng(1).normal(size=(2, EDGES, OPERATIONS))


def test_the_defaults_are_the_papers(module):
    assert module.gamma == 0.5
    shapes = {name: value.shape for name, value in weights(module).items()}
    assert shapes == {
        "w1": (8, 8),
        "w2": (8, 8),
        "w": (64, 64),
        "phi1": (8, 64),
        "phi1_bias": (64,),
        "phi2": (64, 8),
        "phi2_bias": (8,),
    }


def test_equation_6_adjacency(module, alphas):
    w = weights(module)
    scores = (alphas[0] @ w["w1"]) @ (alphas[1] @ w["w2"]).T
    expected = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)

    adjacency = ops.convert_to_numpy(module.adjacency(*alphas.astype("float32")))

    assert adjacency.shape == (EDGES, EDGES)
    np.testing.assert_allclose(adjacency, expected, rtol=1e-4, atol=1e-6)


def test_equation_7_graph_convolution(module):
    generator = np.random.default_rng(2)
    adjacency = generator.uniform(size=(EDGES, EDGES))
    x = generator.normal(size=(EDGES, WIDTH))
    expected = adjacency @ x @ weights(module)["w"] + x

    graph = module.reason(adjacency.astype("float32"), x.astype("float32"))

    np.testing.assert_allclose(
        ops.convert_to_numpy(graph), expected, rtol=1e-4, atol=1e-5
    )


def test_equation_5_update(module, alphas):
    expected = reference(*alphas, weights(module), 0.5)

    updated = module(*alphas.astype("float32"))

    np.testing.assert_allclose(
        ops.convert_to_numpy(updated), expected, rtol=1e-4, atol=1e-5
    )
    assert np.abs(expected - alphas[0]).max() > 0.1  # there was a message


def test_gamma_zero_sends_no_message(alphas, randomise):
    module = GCNGuidedModule(gamma=0.0)
    module.build((EDGES, OPERATIONS))
    randomise(module)

    updated = ops.convert_to_numpy(module(*alphas.astype("float32")))

    np.testing.assert_array_equal(updated, alphas[0].astype("float32"))
