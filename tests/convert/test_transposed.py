"""Transposed convolutions as plain ones and a shuffle of pixels."""

import keras
import numpy as np
import pytest

from lgcnet_tf.convert.transposed import pixel_shuffles, plain_kernel


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("kernel", [1, 2, 3, 4, (3, 5)])
def test_the_numbers_are_those_of_keras(kernel, stride):
    layer = keras.layers.Conv2DTranspose(
        4, kernel, strides=stride, padding="same", bias_initializer="normal"
    )
    model = keras.Sequential([keras.Input((5, 6, 3)), layer])
    x = np.random.default_rng(0).normal(size=(2, 5, 6, 3)).astype(np.float32)
    expected = np.asarray(model(x))
    with pixel_shuffles(model):
        found = np.asarray(layer(x))
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert "call" not in vars(layer)


def test_each_weight_stands_at_one_place():
    kernel = np.arange(1, 1 + 3 * 3 * 2 * 4).reshape(3, 3, 2, 4)
    plain, margins = plain_kernel(kernel, 2)
    assert plain.shape == (2, 2, 4, 8) and margins == [(1, 0), (1, 0)]
    assert sorted(plain[plain > 0]) == sorted(kernel.ravel())
