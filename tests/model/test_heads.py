"""Heads and multi-scale cell of Table X: searched, derived, trained and deployed.

The dense-connected cell and none are in the tests of network and deployment.
"""

import keras
import numpy as np
import pytest
from keras import ops

from lgcnet_tf.latency.estimate import one_hot_weights
from lgcnet_tf.model.deploy import copy_weights, deploy
from lgcnet_tf.model.form import Form
from lgcnet_tf.model.heads import build_fusion
from lgcnet_tf.model.network import Network
from lgcnet_tf.space import Genotype, random_genotype

SIZE = (33, 48)
FULL = ("conv_3x3", "skip_connect", "max_pool_3x3", "sep_conv_3x3", "none")


def logits(network, images, **kwargs):
    return ops.convert_to_numpy(network(images, **kwargs))


@pytest.fixture(scope="module", params=["aspp", "ppm", "cas"])
def skeleton(request, small_skeleton):
    """Two cells, at strides 4 and 8, and for `cas` one after the last tap."""
    return small_skeleton(
        num_cells=3 if request.param == "cas" else 2,
        reduction_cells=(1,),
        fusion_taps=(0, 1),
        fusion=request.param,
    )


@pytest.fixture(scope="module")
def genotype(skeleton):
    found = random_genotype(skeleton, np.random.default_rng(5))
    return Genotype(skeleton, (FULL,) * skeleton.num_cells, found.fusion)


@pytest.fixture(scope="module")
def supernet(skeleton, randomise):
    return randomise(Network(skeleton, SIZE), seed=3)


def test_one_hot_supernet_equals_the_derived_network(supernet, genotype, images):
    derived = Network(genotype.skeleton, SIZE, genotype, "search")
    copy_weights(supernet, derived)
    x = images(*SIZE, batch=2)
    expected = logits(derived, x)
    found = logits(supernet, x, weights=one_hot_weights(genotype))
    assert expected.std() > 0.05
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_deployed_equals_trained(genotype, images, randomise, unpruned):
    """Also where the cells that the fusion reads lost a node."""
    halved = ("none", "none", "max_pool_3x3", "conv_3x3", "none")
    x = images(*SIZE, batch=2)
    for cells in (genotype.cells, (halved,) * len(genotype.cells)):
        chosen = Genotype(genotype.skeleton, cells, genotype.fusion)
        whole = randomise(unpruned(chosen, SIZE), 4)
        network = Network(chosen.skeleton, SIZE, chosen)
        copy_weights(whole, network)
        expected = logits(whole, x)
        assert expected.std() > 0.05
        np.testing.assert_allclose(logits(network, x), expected, atol=1e-4)
        deployed = deploy(network)
        assert not any("moving" in v.name for v in deployed.variables)
        np.testing.assert_allclose(logits(deployed, x), expected, atol=1e-4)


def test_a_step_of_training_reaches_every_weight(genotype, images):
    keras.utils.set_random_seed(1)  # one channel may start with nothing above 0
    network = Network(genotype.skeleton, SIZE, genotype)
    network.compile(
        keras.optimizers.SGD(0.1),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=keras.backend.backend() == "jax",
    )
    before = [ops.convert_to_numpy(v) for v in network.trainable_variables]
    labels = images(*SIZE, batch=2)[..., 0] % genotype.skeleton.num_classes
    loss = network.train_on_batch(images(*SIZE, batch=2, seed=1), labels)
    assert np.isfinite(loss)
    for variable, old in zip(network.trainable_variables, before, strict=True):
        assert np.abs(ops.convert_to_numpy(variable) - old).max() > 0, variable.path


@pytest.mark.parametrize("fusion, kept, width", [("aspp", 0, 6), ("ppm", 1, 2)])
def test_head_is_its_branches_and_a_projection(
    fusion, kept, width, small_skeleton, randomise, oracle
):
    """Against NumPy: which maps are concatenated, in which order."""
    skeleton = small_skeleton(fusion=fusion, fusion_channels=6)
    layer = build_fusion(skeleton, {}, [True], SIZE, Form("train"))
    size = (3, 3)  # at stride 16
    x = np.random.default_rng(0).normal(size=(2, *size, 5)).astype("float32")
    layer([x])  # makes its weights
    randomise(layer, 6)
    wide = x.astype("float64")
    maps = [wide] * kept + [
        oracle.operation(branch.name, branch, wide, size=size)
        for branch in layer.branches
    ]
    together = np.concatenate(maps, axis=-1)
    assert together.shape[-1] == kept * 5 + len(layer.branches) * width
    operation = skeleton.fusion_head.project
    expected = oracle.operation(operation, layer.project, together)
    assert expected.shape == (2, *size, 6) and expected.std() > 0.05
    np.testing.assert_allclose(layer([x]), expected, rtol=1e-4, atol=1e-4)


def test_cells_after_the_last_tap_are_not_built(supernet):
    assert list(supernet.cells) == ["0", "1"]
