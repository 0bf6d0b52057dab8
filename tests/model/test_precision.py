"""Training in bfloat16; what is kept is float32."""

import keras
import numpy as np
import pytest

from lgcnet_tf.errors import InputError
from lgcnet_tf.model.deploy import deploy
from lgcnet_tf.model.network import Network
from lgcnet_tf.model.precision import precision
from lgcnet_tf.model.sizes import at_size
from lgcnet_tf.model.units import sublayers
from lgcnet_tf.space.genotype import Genotype
from lgcnet_tf.space.operations import CELL_OPERATIONS
from lgcnet_tf.training.fit import compile_for_segmentation
from lgcnet_tf.training.losses import CrossEntropy
from lgcnet_tf.training.optimizers import SGD

SIZE = (32, 32)


@pytest.fixture(scope="module")
def genotype(small_skeleton):
    skeleton = small_skeleton(num_cells=2, reduction_cells=(1,), fusion="none")
    cells = np.arange(10).reshape(2, 5) % 7 + 1
    names = tuple(tuple(CELL_OPERATIONS[i] for i in cell) for cell in cells)
    return Genotype(skeleton, names, {})


@pytest.fixture(scope="module")
def mixed(genotype, randomise):
    with precision(True):
        return randomise(Network(genotype.skeleton, SIZE, genotype))


@pytest.fixture(scope="module")
def trained(mixed, images):
    """The network after a few steps, and their losses."""
    x = images(*SIZE, batch=4)
    y = (x[..., 0] > 128).astype("int32")
    compile_for_segmentation(mixed, SGD(0.05, momentum=0.9), CrossEntropy(), 3)
    losses = [float(mixed.train_on_batch(x, y)[0]) for _ in range(8)]
    return mixed, losses


def computes_in(network):
    return {layer.compute_dtype for layer in sublayers(network)}


def test_the_process_keeps_its_policy():
    before = keras.config.dtype_policy().name
    with pytest.raises(InputError), precision(True):
        assert keras.config.dtype_policy().name == "mixed_bfloat16"
        raise InputError("stop")
    assert keras.config.dtype_policy().name == before == "float32"
    with precision(False):
        assert keras.config.dtype_policy().name == "float32"


def test_it_computes_in_bfloat16_and_trains(trained):
    network, losses = trained
    assert network.stem[0].compute_dtype == "bfloat16"
    edge = network.cells["0"].edges["s0->n0"]
    assert edge.candidates[0].compute_dtype == "bfloat16"
    assert np.isfinite(losses).all()
    assert losses[-1] < 0.9 * losses[0]


def test_variables_and_logits_are_float32(trained, images):
    network, _ = trained
    variables = network.variables + network.optimizer.variables
    assert {v.dtype for v in variables} <= {"float32", "int32", "int64"}
    assert keras.backend.standardize_dtype(network(images(*SIZE)).dtype) == "float32"


def test_logits_are_near_those_of_float32(trained, images):
    network, _ = trained
    x = images(*SIZE, batch=2)
    wide = at_size(network, SIZE)
    expected = np.asarray(wide(x, training=False))
    error = np.abs(np.asarray(network(x, training=False)) - expected)
    assert error.max() > 0.0  # otherwise it was not bfloat16
    assert error.mean() < 0.03 * np.abs(expected).mean()


def test_what_is_made_of_it_is_float32(trained, tmp_path, images):
    network, _ = trained
    network.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    x = images(*SIZE)
    wide, deployed = at_size(network, SIZE), deploy(network)
    expected = wide(x, training=False)
    for made in (loaded, wide, deployed):
        assert computes_in(made) == {"float32"}
        assert {v.dtype for v in made.variables} == {"float32"}
    np.testing.assert_array_equal(loaded(x, training=False), expected)
    np.testing.assert_allclose(deployed(x), expected, atol=1e-3)


def test_z_stays_float32_in_the_supernet(small_skeleton):
    """At 3 significant digits a mixture's weights would be lost."""
    skeleton = small_skeleton(num_cells=1, reduction_cells=(), fusion="none")
    seen = []
    with precision(True):
        network = Network(skeleton, SIZE)
    norm = network.units["cell_0/edge_s0_n0/conv_3x3"].norm
    call = norm.call

    def spy(x, weight=None, training=None):
        seen.append((x.dtype.name, weight.dtype.name))
        return call(x, weight, training=training)

    norm.call = spy
    z = np.full((5, 8), 0.125, "float32")
    network(np.zeros((1, *SIZE, 3), np.uint8), weights=z, training=True)
    assert seen == [("bfloat16", "float32")]
