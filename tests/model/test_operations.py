"""Every candidate operation and fixed part against its definition, and folded."""

import numpy as np
import pytest
from keras import ops

from lgcnet_tf.model.operations import build_operation
from lgcnet_tf.model.plain_layers import AdaptiveAveragePool, Resize
from lgcnet_tf.model.units import SeparableConvUnit
from lgcnet_tf.space.operations import (
    CELL_OPERATIONS,
    FUSION_OPERATIONS,
    HEAD_PARTS,
    UP_OPERATIONS,
)
from lgcnet_tf.space.skeleton import size_at

CHANNELS = 6
HEAD_NAMES = ["fusion_reduce_1x1", *(part.name for part in HEAD_PARTS)]
CASES = [(name, stride) for name in CELL_OPERATIONS for stride in (1, 2)]
CASES += [(name, 1) for name in FUSION_OPERATIONS if name not in CELL_OPERATIONS]
FIXED = [
    ("stem_conv_3x3", 1),
    ("stem_conv_3x3", 2),
    ("preprocess_1x1", 1),
    *((name, 1) for name in HEAD_NAMES),
]
UNITS = [case for case in CASES if case not in (("none", 1), ("none", 2))]
FOLDABLE = [case for case in UNITS if case != ("skip_connect", 1)]
SIZES = [(12, 16), (13, 9), (7, 10), (3, 2)]
DILATIONS = {f"dil_sep_conv_3x3_d{d}": d for d in (2, 4, 8, 12)}


def maps(size, seed=0, batch=2, channels=CHANNELS):
    generator = np.random.default_rng(seed)
    return generator.normal(size=(batch, *size, channels)).astype("float32")


def build(name, stride, in_size, size, randomise, normalization="train", seed=7):
    layer = build_operation(name, CHANNELS, stride, size, normalization, name=name)
    layer.build((None, *in_size, CHANNELS))
    return randomise(layer, seed)


def call(layer, *arguments):
    return ops.convert_to_numpy(layer(*arguments))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("normalization", ["train", "search"])
@pytest.mark.parametrize("name, stride", CASES)
def test_definition(name, stride, size, normalization, oracle, randomise):
    out_size = size_at(size, stride)
    layer = build(name, stride, size, out_size, randomise, normalization)
    x = maps(size)

    expected = oracle.operation(name, layer, x.astype("float64"), stride, out_size)

    assert expected.shape == (2, *out_size, CHANNELS)
    np.testing.assert_allclose(call(layer, x), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("size", [(13, 9), (3, 2), (40, 38)])
@pytest.mark.parametrize("name", HEAD_NAMES)
def test_parts_of_the_heads(name, size, oracle, randomise):
    layer = build(name, 1, size, size, randomise)
    x = maps(size)

    expected = oracle.operation(name, layer, x.astype("float64"), size=size)

    assert expected.shape == (2, *size, CHANNELS) and expected.min() >= 0.0
    np.testing.assert_allclose(call(layer, x), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", UP_OPERATIONS)
@pytest.mark.parametrize("size", [(24, 32), (23, 31), (24, 31), (1, 1)])
def test_up_edges_land_on_the_finer_map(name, size, oracle, randomise):
    coarse = size_at(size, 2)
    layer = build(name, 1, coarse, size, randomise)
    x = maps(coarse)

    expected = oracle.operation(name, layer, x.astype("float64"), size=size)

    assert expected.shape == (2, *size, CHANNELS)
    np.testing.assert_allclose(call(layer, x), expected, rtol=1e-4, atol=1e-4)


def test_bilinear_with_a_convolution_is_that_convolution_after_it(oracle, randomise):
    """A 1x1 convolution and an interpolation can change places."""
    layer = randomise(
        build_operation("bilinear_1x1", 3, size=(23, 32), normalization="deploy"), 1
    )
    layer.build((None, 12, 16, CHANNELS))
    randomise(layer, 1)
    x = maps((12, 16))
    kernel, bias = (np.asarray(w, "float64") for w in layer.weights)
    expected = oracle.bilinear(x.astype("float64"), (23, 32)) @ kernel[0, 0] + bias
    np.testing.assert_allclose(call(layer, x), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", UP_OPERATIONS)
def test_up_edges_at_the_papers_odd_sizes(name, randomise):
    for fine, coarse in (((97, 193), (49, 97)), ((193, 385), (97, 193))):
        layer = build(name, 1, coarse, fine, randomise)
        assert call(layer, maps(coarse, batch=1)).shape[1:3] == fine


@pytest.mark.parametrize("dilation", [2, 4, 8])
@pytest.mark.parametrize("size", [(40, 30), (41, 31), (40, 31), (5, 4), (1, 1)])
def test_strided_dilated_is_dilate_then_subsample(dilation, size, oracle, randomise):
    unit = SeparableConvUnit(CHANNELS, stride=2, dilation=dilation)
    full = SeparableConvUnit(CHANNELS, stride=1, dilation=dilation)
    for layer in (unit, full):
        layer.build((None, *size, CHANNELS))
        randomise(layer, seed=3)
    x = maps(size)

    found = call(unit, x)

    np.testing.assert_allclose(found, call(full, x)[:, ::2, ::2], rtol=1e-4, atol=1e-4)
    name = f"dil_sep_conv_3x3_d{dilation}"
    expected = oracle.operation(name, full, x.astype("float64"), stride=2)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_strided_with_odd_dilation_is_refused():
    with pytest.raises(ValueError, match="stride=2, dilation=3"):
        SeparableConvUnit(CHANNELS, stride=2, dilation=3)


@pytest.mark.parametrize("name, dilation", DILATIONS.items())
def test_dilations_reach_as_far_as_their_names_say(name, dilation, randomise):
    layer = build(name, 1, (31, 31), (31, 31), randomise)
    x = np.zeros((1, 31, 31, CHANNELS), "float32")
    still = call(layer, x)
    x[0, 15, 15] = 1.0
    rows = np.nonzero(np.abs(call(layer, x) - still).max(axis=(0, 2, 3)) > 1e-6)[0]
    assert list(rows) == [15 - dilation, 15, 15 + dilation]


@pytest.mark.parametrize("bins", [1, 2, 3, 5, 6])
@pytest.mark.parametrize("size", [(10, 15), (7, 9), (5, 5), (3, 4), (1, 2), (23, 30)])
def test_adaptive_average_pool(bins, size, oracle):
    x = maps(size)
    found = call(AdaptiveAveragePool(bins), x)
    assert found.shape == (2, bins, bins, CHANNELS)
    np.testing.assert_allclose(found, oracle.adaptive_pool(x, bins), atol=1e-5)


@pytest.mark.parametrize("size", [(97, 161), (25, 41), (50, 80)])
def test_resize(size, oracle):
    x = maps((25, 41))
    found = call(Resize(size), x)
    assert found.shape == (2, *size, CHANNELS)
    np.testing.assert_allclose(
        found, oracle.bilinear(x.astype("float64"), size), atol=1e-4
    )


@pytest.mark.parametrize("name, stride", [*UNITS, ("deconv_3x3", 1), ("bilinear", 1)])
def test_weight_multiplies(name, stride, randomise):
    size = (12, 9)
    up = name in UP_OPERATIONS
    out_size = (23, 18) if up else size_at(size, stride)
    layer = build(name, stride, size, out_size, randomise, "search")
    x, z = maps(size), ops.convert_to_tensor(0.3)
    np.testing.assert_allclose(
        call(layer, x, z), 0.3 * call(layer, x), rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("size", [(12, 16), (13, 9)])
@pytest.mark.parametrize("normalization", ["train", "search"])
@pytest.mark.parametrize("name, stride", [*FOLDABLE, *FIXED, ("deconv_3x3", 1)])
def test_folded_form_computes_the_same(name, stride, size, normalization, randomise):
    up = name in UP_OPERATIONS
    out_size = (2 * size[0] - 1, 2 * size[1]) if up else size_at(size, stride)
    layer = build(name, stride, size, out_size, randomise, normalization)
    folded = build(name, stride, size, out_size, randomise, "deploy", seed=8)
    x = maps(size)
    expected = call(layer, x)
    assert np.abs(call(folded, x) - expected).max() > 1e-2  # other weights yet

    folded.set_weights(layer.folded_weights())

    assert folded.norm is None
    np.testing.assert_allclose(call(folded, x), expected, rtol=1e-4, atol=1e-4)


def test_stem_and_reduction_end_with_a_relu_and_edges_start_with_one(randomise):
    for name, stride in FIXED:
        layer = build(name, stride, (8, 8), (8, 8), randomise)
        negative = (call(layer, maps((8, 8))) < 0).any()
        assert negative == (name == "preprocess_1x1")


def test_unknown_operation():
    with pytest.raises(ValueError, match="conv_9x9"):
        build_operation("conv_9x9", 4)


def test_unknown_normalization():
    with pytest.raises(ValueError, match="group"):
        build_operation("conv_3x3", 4, normalization="group")
