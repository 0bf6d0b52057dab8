"""Keras' optimisers with PyTorch's weight decay and clipping of the whole batch."""

import keras
from keras import ops

from lgcnet_tf.training.settings import OPTIMIZERS


class CoupledDecay:
    """Adds the gradient of an L2 penalty, l2 · w, after replicas are summed.

    This is PyTorch's weight decay, which the paper used. Keras' `weight_decay`
    is decoupled: with momentum 0.9 it decays ten times less.

    `global_clipnorm` limits the norm of the sum over replicas too, before the
    decay; Keras limits each replica's gradients on their own, so that a batch
    on two replicas would take another step than on one.
    """

    def __init__(self, *args, l2=0.0, **kwargs):
        super().__init__(*args, **kwargs)
        self.l2 = l2

    def update_step(self, gradient, variable, learning_rate):
        if not self.l2:
            super().update_step(gradient, variable, learning_rate)
            return
        decay = ops.cast(self.l2, gradient.dtype) * variable
        super().update_step(gradient + decay, variable, learning_rate)

    def _clip_gradients(self, grads):
        if self.global_clipnorm and keras.backend.backend() == "tensorflow":
            return grads  # only below are they summed
        return super()._clip_gradients(grads)

    def _all_reduce_sum_gradients(self, grads_and_vars):
        summed = super()._all_reduce_sum_gradients(grads_and_vars)
        if not self.global_clipnorm:
            return summed
        squares = [
            ops.sum(ops.square(ops.cast(gradient, "float32")))
            for gradient, _ in summed
            if gradient is not None
        ]
        norm = ops.sqrt(sum(squares))
        factor = self.global_clipnorm / ops.maximum(norm, self.global_clipnorm)
        return [
            (g if g is None else g * ops.cast(factor, g.dtype), v) for g, v in summed
        ]

    def get_config(self):
        return super().get_config() | {"l2": self.l2}


@keras.saving.register_keras_serializable("lgcnet_tf")
class SGD(CoupledDecay, keras.optimizers.SGD):
    """SGD with coupled weight decay.

    On one TensorFlow replica a variable is updated by one operation of the graph
    instead of eight: a supernet has most of a thousand of them.
    """

    def _backend_update_step(self, grads, trainable_variables, learning_rate):
        if (
            keras.backend.backend() != "tensorflow"
            or self._distribution_strategy.num_replicas_in_sync > 1
            or not self.momentum
        ):
            super()._backend_update_step(grads, trainable_variables, learning_rate)
            return
        import tensorflow as tf

        pairs = list(zip(grads, (v.value for v in trainable_variables)))
        if self.global_clipnorm:
            pairs = self._all_reduce_sum_gradients(pairs)
        rate, momentum, l2 = (
            tf.cast(number, "float32")
            for number in (learning_rate, self.momentum, self.l2)
        )
        for gradient, variable in pairs:
            accumulator = self.momentums[self._get_variable_index(variable)].value
            tf.raw_ops.ResourceApplyKerasMomentum(
                var=variable.handle,
                accum=accumulator.handle,
                lr=rate,
                grad=gradient + l2 * variable,
                momentum=momentum,
                use_nesterov=self.nesterov,
            )


@keras.saving.register_keras_serializable("lgcnet_tf")
class Adam(CoupledDecay, keras.optimizers.Adam):
    """Adam with coupled weight decay."""


@keras.saving.register_keras_serializable("lgcnet_tf")
class AdamW(CoupledDecay, keras.optimizers.AdamW):
    """Adam with decoupled weight decay (Loshchilov and Hutter)."""


_NOT_DECAYED = ["gamma", "beta", "bias"]


def make_optimizer(
    kind: str, rate, decay: float, clip_norm: float = 0.0, nesterov: bool = False
) -> keras.optimizers.Optimizer:
    """The optimiser of a network's weights.

    Args:
        kind: `"sgd"` with momentum 0.9 and `"adam"`, both with coupled decay, or
            `"adamw"`, with decoupled decay.
        rate: a number or a schedule.
        decay: of the weights; what is subtracted at a step is the rate times the
            optimiser's step of decay · w, and for `"adamw"` rate · decay · w, which
            spares biases and the scales and offsets of normalisations.
        clip_norm: largest global norm of the gradients; 0 for any.
        nesterov: of `"sgd"`, Nesterov's momentum.

    Raises:
        ValueError: there is no such kind.
    """
    clip = {"global_clipnorm": clip_norm or None}
    match kind:
        case "sgd":
            return SGD(rate, momentum=0.9, nesterov=nesterov, l2=decay, **clip)
        case "adam":
            return Adam(rate, l2=decay, **clip)
        case "adamw":
            optimizer = AdamW(rate, weight_decay=decay, **clip)
            optimizer.exclude_from_weight_decay(var_names=_NOT_DECAYED)
            return optimizer
    raise ValueError(f"kind must be one of {OPTIMIZERS}. Received: {kind!r}")
