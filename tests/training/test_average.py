"""The moving average of the weights, against NumPy in float64."""

import keras
import numpy as np
import pytest

from lgcnet_tf.training.average import WeightAverage


class Recorder(keras.callbacks.Callback):
    """Keeps the weights after each step."""

    def on_train_begin(self, logs=None):
        self.seen = [self.model.get_weights()]

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append(self.model.get_weights())


def train(model, callbacks, steps=12):
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (2 * steps, 16, 16, 3), np.uint8)
    labels = generator.integers(0, 8, (2 * steps, 16, 16)).astype("int32")
    model.fit(images, labels, batch_size=2, callbacks=callbacks, verbose=0)


def test_average_of_weights_and_statistics(make_small_model):
    model = make_small_model()
    average, recorder = WeightAverage(model, 0.5), Recorder()
    train(model, [average, recorder])
    expected = [w.astype("float64") for w in recorder.seen[0]]
    for step, weights in enumerate(recorder.seen[1:], start=1):
        share = 1 - min(0.5, (1 + step) / (10 + step))
        expected = [e + share * (w - e) for e, w in zip(expected, weights)]
    for found, one, last in zip(average.get_weights(), expected, model.get_weights()):
        np.testing.assert_allclose(found, one, rtol=1e-4, atol=1e-6)
        assert (found != last).any()


def test_training_is_the_same_with_it(make_small_model):
    models = []
    for with_average in (False, True):
        model = make_small_model()
        train(model, [WeightAverage(model, 0.9)] if with_average else [])
        models.append(model.get_weights())
    for one, other in zip(*models):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("decay", [-0.1, 1.0])
def test_decay_outside_its_range(make_small_model, decay):
    with pytest.raises(ValueError, match=f"decay must lie in .* Received: {decay}"):
        WeightAverage(make_small_model(), decay)
