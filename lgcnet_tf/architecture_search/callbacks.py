"""What acts on a search model while it is trained."""

import keras

from lgcnet_tf.architecture_search.latency_target import LatencyTarget, steer
from lgcnet_tf.architecture_search.search_model import SearchModel
from lgcnet_tf.architecture_search.temperature import temperature_at


class Temperature(keras.callbacks.Callback):
    """Sets τ of Eq. 4 as an epoch begins.

    Args:
        model: the search's.
        epochs: of the whole search.
        initial: τ in the first epoch.
        final: τ in the last one.
    """

    def __init__(self, model: SearchModel, epochs: int, initial: float, final: float):
        super().__init__()
        self.trained = model
        self.epochs = epochs
        self.initial = initial
        self.final = final

    def on_epoch_begin(self, epoch, logs=None):
        self.trained.temperature.assign(
            temperature_at(epoch, self.epochs, self.initial, self.final)
        )


class SteerLatency(keras.callbacks.Callback):
    """Steers λ after each step, so that the derived network meets a target.

    Args:
        model: the search's.
        target: see `LatencyTarget`; what it keeps is in variables of the model.
    """

    def __init__(self, model: SearchModel, target: LatencyTarget):
        super().__init__()
        self.trained = model
        self.target = target

    def on_train_batch_end(self, batch, logs=None):
        steer(self.trained, self.target)
