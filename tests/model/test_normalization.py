import keras
import numpy as np
import pytest
from keras import ops

from lgcnet_tf.model.normalization import BatchNorm


def pair(channels, affine, randomise):
    """Ours and Keras' own layer with the same random variables."""
    ours = BatchNorm(affine=affine)
    keras_own = keras.layers.BatchNormalization(
        momentum=0.9, epsilon=1e-5, center=affine, scale=affine
    )
    for layer in (ours, keras_own):
        layer.build((None, None, None, channels))
        randomise(layer, seed=5)
    return ours, keras_own


def maps(shape, seed=0):
    generator = np.random.default_rng(seed)
    return (generator.normal(size=shape) * 2.0 + 1.0).astype("float32")


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("shape", [(2, 5, 7, 6), (1, 1, 1, 3), (3, 1, 1, 4)])
def test_equals_keras_own(affine, training, shape, randomise):
    ours, keras_own = pair(shape[-1], affine, randomise)
    for step in range(2):
        x = maps(shape, seed=step)
        outputs = [
            ops.convert_to_numpy(layer(x, training=training))
            for layer in (ours, keras_own)
        ]
        np.testing.assert_allclose(*outputs, rtol=1e-4, atol=1e-4)
        for name in ("moving_mean", "moving_variance"):
            mine, theirs = (getattr(layer, name) for layer in (ours, keras_own))
            np.testing.assert_allclose(
                ops.convert_to_numpy(mine),
                ops.convert_to_numpy(theirs),
                rtol=1e-5,
                atol=1e-6,
            )


def test_training_moves_the_statistics_and_inference_does_not(randomise):
    ours, _ = pair(6, True, randomise)
    before = ops.convert_to_numpy(ours.moving_variance)
    ours(maps((2, 5, 7, 6)), training=False)
    np.testing.assert_array_equal(ops.convert_to_numpy(ours.moving_variance), before)
    ours(maps((2, 5, 7, 6)), training=True)
    assert np.abs(ops.convert_to_numpy(ours.moving_variance) - before).min() > 1e-2


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("training", [True, False])
def test_weight_multiplies_the_output_alone(affine, training, randomise):
    ours, keras_own = pair(6, affine, randomise)
    x = maps((2, 5, 7, 6))
    weighted = ours(x, ops.convert_to_tensor(0.3), training=training)
    plain = keras_own(x, training=training)
    np.testing.assert_allclose(
        ops.convert_to_numpy(weighted),
        0.3 * ops.convert_to_numpy(plain),
        rtol=1e-4,
        atol=1e-4,
    )
    np.testing.assert_allclose(
        ops.convert_to_numpy(ours.moving_mean),
        ops.convert_to_numpy(keras_own.moving_mean),
        rtol=1e-5,
        atol=1e-6,
    )


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="the fused path is TensorFlow's"
)
@pytest.mark.parametrize("affine", [True, False])
def test_gradients_are_those_of_keras_own_times_the_weight(affine, randomise):
    import tensorflow as tf

    ours, keras_own = pair(6, affine, randomise)
    cotangent = maps((2, 5, 7, 6), seed=9)
    found = []
    for layer, fused in ((ours, True), (keras_own, False)):
        x = tf.constant(maps((2, 5, 7, 6)))
        weight = tf.constant(0.3)
        variables = [v.value for v in layer.trainable_variables]
        with tf.GradientTape() as tape:
            tape.watch([x, weight])
            y = (
                layer(x, weight, training=True)
                if fused
                else layer(x, training=True) * weight
            )
            loss = tf.reduce_sum(y * cotangent)
        found.append(tape.gradient(loss, [x, weight, *variables]))
    assert len(found[0]) == (4 if affine else 2)
    for mine, theirs in zip(*found, strict=True):
        assert np.abs(theirs.numpy()).max() > 1e-2
        np.testing.assert_allclose(mine.numpy(), theirs.numpy(), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("affine", [True, False])
def test_scale_and_offset_are_the_layer_at_inference(affine, randomise):
    ours, _ = pair(6, affine, randomise)
    x = maps((2, 5, 7, 6))
    scale, offset = ours.scale_and_offset()
    np.testing.assert_allclose(
        x * scale + offset,
        ops.convert_to_numpy(ours(x, training=False)),
        rtol=1e-4,
        atol=1e-5,
    )


def test_search_form_learns_nothing():
    layer = BatchNorm(affine=False)
    layer.build((None, None, None, 4))
    assert layer.trainable_variables == []
