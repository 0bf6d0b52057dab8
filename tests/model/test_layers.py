"""What every layer of the package keeps: shape, configuration, file, precision."""

import functools

import keras
import numpy as np
import pytest
from keras import ops

from lgcnet_tf.guidance.communication import Communication
from lgcnet_tf.guidance.fully_connected import FullyConnectedModule
from lgcnet_tf.guidance.ggm import GCNGuidedModule
from lgcnet_tf.model import plain_layers, units
from lgcnet_tf.model.normalization import BatchNorm
from lgcnet_tf.model.precision import precision

MAPS = (2, 9, 12, 3)
TO = (17, 24)

LAYERS = {
    "norm": (functools.partial(BatchNorm, affine=True), MAPS),
    "norm of a search": (functools.partial(BatchNorm, affine=False), MAPS),
    "conv": (functools.partial(units.ConvUnit, 4, 3), (2, 9, 12, 4)),
    "conv of stride 2": (functools.partial(units.ConvUnit, 4, 3, 2), (2, 5, 6, 4)),
    "folded conv": (
        functools.partial(units.ConvUnit, 4, 3, normalization="deploy"),
        (2, 9, 12, 4),
    ),
    "separable": (functools.partial(units.SeparableConvUnit, 4, 1, 2, 3), (2, 9, 12, 4)),
    "pool": (functools.partial(units.PoolUnit, 3, 2, 3), (2, 5, 6, 3)),
    "pool and conv": (functools.partial(units.PoolConvUnit, 4), (2, 5, 6, 4)),
    "global pool": (functools.partial(units.GlobalPoolUnit, 4, 2, (9, 12)), (2, 9, 12, 4)),
    "deconv": (functools.partial(units.UpConvUnit, 4, TO), (2, *TO, 4)),
    "resized conv": (functools.partial(units.ResizedConvUnit, 4, TO), (2, *TO, 4)),
    "resize": (functools.partial(plain_layers.Resize, TO), (2, *TO, 3)),
    "resize of the logits": (functools.partial(plain_layers.LogitsResize, TO), (2, *TO, 3)),
    "identity": (plain_layers.Identity, MAPS),
    "none": (functools.partial(plain_layers.Zero, 2), (2, 5, 6, 3)),
}  # fmt: skip

MODULES = {
    "ggm": functools.partial(GCNGuidedModule, 6, 0.5),
    "fc": functools.partial(FullyConnectedModule, 0.5),
}


@pytest.fixture
def maps():
    return np.random.default_rng(0).normal(size=MAPS).astype("float32")


@pytest.mark.parametrize("kind", LAYERS)
def test_shape_configuration_and_file(kind, maps, randomise, tmp_path):
    make, shape = LAYERS[kind]
    layer = make(name="one")
    layer.build(MAPS)
    randomise(layer)
    expected = ops.convert_to_numpy(layer(maps))
    assert expected.shape == shape
    again = type(layer).from_config(layer.get_config())
    again.build(MAPS)
    again.set_weights(layer.get_weights())
    np.testing.assert_array_equal(ops.convert_to_numpy(again(maps)), expected)
    assert again.get_config() == layer.get_config()
    inputs = keras.Input(MAPS[1:])
    keras.Model(inputs, layer(inputs)).save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(
        tmp_path / "model.keras", custom_objects={type(layer).__name__: type(layer)}
    )
    found = ops.convert_to_numpy(loaded(maps))
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("kind", LAYERS)
def test_mixed_precision_computes_in_bfloat16_and_keeps_float32(kind, maps):
    make, shape = LAYERS[kind]
    with precision(True):
        layer = make()
    y = layer(ops.cast(maps, "bfloat16"))
    assert tuple(y.shape) == shape
    wanted = "float32" if kind == "resize of the logits" else "bfloat16"
    assert keras.backend.standardize_dtype(y.dtype) == wanted
    assert {v.dtype for v in layer.trainable_variables} <= {"float32"}
    plain = make()
    plain.build(MAPS)
    plain.set_weights(layer.get_weights())
    expected = ops.convert_to_numpy(plain(maps))
    found = ops.convert_to_numpy(ops.cast(y, "float32"))
    allowed = 0.05 * np.abs(expected).max() + 1e-6
    np.testing.assert_allclose(found, expected, atol=allowed)


@pytest.mark.parametrize("kind", MODULES)
def test_modules_between_cells(kind, randomise):
    module = MODULES[kind]()
    nodes = (5, 8)
    module.build(nodes)
    randomise(module)
    a, b = np.random.default_rng(0).normal(size=(2, *nodes)).astype("float32")
    expected = ops.convert_to_numpy(module(a, b))
    assert expected.shape == nodes
    again = type(module).from_config(module.get_config())
    again.build(nodes)
    again.set_weights(module.get_weights())
    np.testing.assert_array_equal(ops.convert_to_numpy(again(a, b)), expected)


@pytest.mark.parametrize("mode", ["none", "shared", "fc", "ggm", "ggm_operation"])
def test_communication(mode):
    layer = Communication(mode, [False, True, False], width=4)
    shape = (layer.num_kinds, 5, 8)
    layer.build(shape)
    again = Communication.from_config(layer.get_config())
    again.build(shape)
    again.set_weights(layer.get_weights())
    alpha = np.random.default_rng(0).normal(size=shape).astype("float32")
    found = ops.convert_to_numpy(again(alpha))
    assert found.shape == (3, 5, 8)
    np.testing.assert_array_equal(found, ops.convert_to_numpy(layer(alpha)))
