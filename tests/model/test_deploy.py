import keras
import numpy as np
import pytest
from keras import ops

from lgcnet_tf.model.deploy import deploy
from lgcnet_tf.model.network import Network
from lgcnet_tf.model.units import sublayers
from lgcnet_tf.space import Genotype, random_genotype

SIZE = (33, 48)


def logits(network, images):
    return ops.convert_to_numpy(network(images))


def random_chosen(skeleton, seed):
    genotype = random_genotype(skeleton, np.random.default_rng(seed))
    last = ("skip_connect", *genotype.cells[-1][1:])  # never empty
    return Genotype(skeleton, (*genotype.cells[:-1], last), genotype.fusion)


def random_network(skeleton, seed, randomise, **kwargs):
    """A random network with random weights, statistics, scales and offsets."""
    genotype = random_chosen(skeleton, seed)
    return randomise(Network(skeleton, SIZE, genotype, **kwargs), seed)


@pytest.fixture(scope="module")
def network(small_skeleton, randomise):
    return random_network(small_skeleton(), 3, randomise)


@pytest.fixture(scope="module")
def deployed(network):
    return deploy(network)


@pytest.mark.parametrize(
    "seed, normalization", [(0, "train"), (1, "search"), (2, "train")]
)
def test_outputs_are_equal(seed, normalization, small_skeleton, randomise, images):
    network = random_network(
        small_skeleton(), seed, randomise, normalization=normalization
    )
    deployed = deploy(network)
    x = images(*SIZE, batch=2)
    expected = logits(network, x)
    assert expected.std() > 0.05
    np.testing.assert_allclose(logits(deployed, x), expected, atol=1e-4)


def test_unpruned_and_without_fusion_cell(small_skeleton, randomise, images, unpruned):
    for fusion in ("dense", "none"):
        genotype = random_chosen(small_skeleton(fusion=fusion), 5)
        network = randomise(unpruned(genotype, SIZE), 5)
        deployed = deploy(network)
        assert deployed.count_params() < network.count_params()
        x = images(*SIZE)
        np.testing.assert_allclose(logits(deployed, x), logits(network, x), atol=1e-4)


def test_no_normalisation_is_left(network, deployed):
    def normalisations(model):
        return [
            layer
            for layer in sublayers(model)
            if isinstance(layer, keras.layers.BatchNormalization)
        ]

    assert normalisations(network)
    assert not normalisations(deployed)
    assert deployed.normalization == "deploy"
    assert deployed.genotype == network.genotype
    assert not any("moving" in v.name for v in deployed.variables)


def test_the_network_itself_is_left_alone(network):
    before = network.get_weights()
    deploy(network)
    for mine, theirs in zip(network.get_weights(), before, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_deployed_is_deployed(deployed):
    assert deploy(deployed) is deployed


def test_deployed_network_saves_and_loads(deployed, images, tmp_path):
    deployed.save(tmp_path / "deployed.keras")
    loaded = keras.saving.load_model(tmp_path / "deployed.keras")
    x = images(*SIZE)
    np.testing.assert_allclose(logits(loaded, x), logits(deployed, x), atol=1e-6)


def test_a_supernet_cannot_be_deployed(small_skeleton):
    skeleton = small_skeleton(
        num_cells=1, reduction_cells=(), fusion="none", fusion_taps=()
    )
    with pytest.raises(ValueError, match="supernet"):
        deploy(Network(skeleton, (16, 16)))
