"""Keras' optimisers with PyTorch's weight decay."""

import keras
from keras import ops


class CoupledDecay:
    """Adds the gradient of an L2 penalty, l2 · w, after replicas are summed.

    This is PyTorch's weight decay, which the paper used. Keras' `weight_decay`
    is decoupled: with momentum 0.9 it decays ten times less.
    """

    def __init__(self, *args, l2=0.0, **kwargs):
        super().__init__(*args, **kwargs)
        self.l2 = l2

    def update_step(self, gradient, variable, learning_rate):
        decay = ops.cast(self.l2, gradient.dtype) * variable
        super().update_step(gradient + decay, variable, learning_rate)

    def get_config(self):
        return super().get_config() | {"l2": self.l2}


@keras.saving.register_keras_serializable("lgcnet_tf")
class SGD(CoupledDecay, keras.optimizers.SGD):
    """SGD with coupled weight decay."""


@keras.saving.register_keras_serializable("lgcnet_tf")
class Adam(CoupledDecay, keras.optimizers.Adam):
    """Adam with coupled weight decay."""
