"""An exponential moving average of a network's weights, kept while it trains."""

import contextlib
from typing import Any

import keras
import numpy as np
from keras import ops


class WeightAverage(keras.callbacks.Callback):
    """Averages the weights after each step: average += (1 - d) · (weight - average).

    The statistics of batch normalisation are averaged like the weights, as they
    belong to them. d is `decay`, and smaller at the beginning,
    (1 + step) / (10 + step), so that the initial weights are soon forgotten (both
    as in TensorFlow's `ExponentialMovingAverage` with `num_updates`).

    Make it inside the strategy's scope, and give it to `fit` among its callbacks:
    what it keeps is then saved and resumed with the rest.

    Args:
        model: a built model: that which is trained, or a part of it.
        decay: d, at least 0 and below 1.
        strategy: what the model was built under, or None.

    Attributes:
        kept: variables to save, by name.
    """

    def __init__(self, model: keras.Model, decay: float, strategy: Any = None):
        super().__init__()
        if not 0.0 <= decay < 1.0:
            raise ValueError(f"decay must lie in [0, 1). Received: {decay}")
        self.averaged = model
        self.decay = decay
        self.scope = strategy.scope if strategy is not None else contextlib.nullcontext
        self.averages = [
            keras.Variable(
                ops.convert_to_numpy(weight),
                trainable=False,
                autocast=False,
                dtype=weight.dtype,
                name="average",
            )
            for weight in model.weights
        ]
        self.steps = keras.Variable(0, dtype="int32", trainable=False, name="steps")
        self.kept = {"average/steps": self.steps} | {
            f"average/{index}": average for index, average in enumerate(self.averages)
        }
        self._update = _compiled(self._move)

    def _move(self):
        self.steps.assign(self.steps + 1)
        step = ops.cast(self.steps, "float32")
        share = 1.0 - ops.minimum(self.decay, (1.0 + step) / (10.0 + step))
        for average, weight in zip(self.averages, self.averaged.weights):
            step = share * (ops.convert_to_tensor(weight) - average)
            average.assign(average + ops.cast(step, average.dtype))

    def on_train_batch_end(self, batch, logs=None):
        if hasattr(self.model, "jax_state_sync"):  # that of which `averaged` is a part
            self.model.jax_state_sync()
        with self.scope():
            self._update()

    def get_weights(self) -> list[np.ndarray]:
        """The averages, as the model's `set_weights` takes them."""
        return [ops.convert_to_numpy(average) for average in self.averages]


def _compiled(function):
    """A thousand small operations as one call, where the backend needs that."""
    if keras.backend.backend() != "tensorflow":
        return function
    import tensorflow as tf

    return tf.function(function, autograph=False)
