"""Batch normalisation as this package uses it everywhere."""

import math

import keras
import numpy as np
from keras import ops


def replicas() -> int:
    """Replicas of the TensorFlow strategy in scope; 1 on other backends."""
    if keras.backend.backend() != "tensorflow":
        return 1
    import tensorflow as tf

    return tf.distribute.get_strategy().num_replicas_in_sync


def own_part(x):
    """This replica's part of the first axis of what all have alike, in equal parts."""
    if replicas() == 1:
        return x
    import tensorflow as tf

    count = ops.shape(x)[0] // replicas()
    first = tf.distribute.get_replica_context().replica_id_in_sync_group * count
    return x[first : first + count]


@keras.saving.register_keras_serializable("lgcnet_tf")
class BatchNorm(keras.layers.BatchNormalization):
    """Keras' layer, synchronised across replicas where there are several.

    On one TensorFlow replica training statistics go through TensorFlow's fused
    kernel, which computes the same with fewer passes over memory.

    Args:
        affine: learns a scale and an offset (training), or neither (search).
        momentum, epsilon: as in Keras; PyTorch's defaults, which the paper used.

    Attributes:
        use_batch_statistics: True normalises by the batch's own statistics, at inference
            too, and keeps no moving ones: then a call changes no variable.

    Call arguments:
        weight: what multiplies the output, Z of Eq. 3: a scalar, which the fused
            kernel takes as its scale and so saves a pass over memory, or
            (batch, 1, 1, 1), one for each image.
    """

    def __init__(self, affine=True, momentum=0.9, epsilon=1e-5, **kwargs):
        super().__init__(
            momentum=momentum,
            epsilon=epsilon,
            center=affine,
            scale=affine,
            synchronized=replicas() > 1,
            autocast=False,  # all is float32 here but `x`
            **kwargs,
        )
        self.affine = affine
        self.use_batch_statistics = False

    def get_config(self):
        config = keras.layers.Layer.get_config(self)  # what is fixed here is not asked
        return config | {
            "affine": self.affine,
            "momentum": self.momentum,
            "epsilon": self.epsilon,
        }

    def call(self, x, weight=None, training=None):
        if weight is not None and len(weight.shape):
            y = self.call(x, training=training)
            wide = ops.cast(y, weight.dtype)  # the gradient of Z is a sum over a map
            return ops.cast(wide * weight, y.dtype)
        if self.use_batch_statistics:
            return self._call_use_batch_statistics(x, weight)
        if (
            not training
            or self.synchronized
            or keras.backend.backend() != "tensorflow"
            or len(x.shape) != 4
        ):
            y = super().call(x, training=training)
            return y if weight is None else y * ops.cast(weight, y.dtype)
        # The kernel keeps the unbiased variance; Keras keeps the biased one.
        count = math.prod(ops.shape(x)[:-1])
        if isinstance(count, int):
            bias = max(count - 1, 1) / count
        else:
            count = ops.cast(count, "float32")
            bias = ops.maximum(count - 1.0, 1.0) / count
        y, mean, variance = self._fused(
            x, weight, self.moving_mean, self.moving_variance / bias, 1 - self.momentum
        )
        self.moving_mean.assign(mean)
        self.moving_variance.assign(variance * bias)
        return y

    def _call_use_batch_statistics(self, x, weight):
        if keras.backend.backend() == "tensorflow":
            return self._fused(x, weight)[0]
        wide = ops.cast(x, "float32")
        mean, variance = ops.moments(wide, axes=(0, 1, 2))
        y = ops.batch_normalization(
            wide, mean, variance, -1, *self._offset_and_scale(x, weight), self.epsilon
        )
        return ops.cast(y, x.dtype)

    def _offset_and_scale(self, x, weight):
        shape = x.shape[-1:]
        weight = 1.0 if weight is None else ops.cast(weight, "float32")
        if not self.scale:
            return ops.zeros(shape), ops.broadcast_to(weight, shape)
        return self.beta * weight, self.gamma * weight

    def _fused(self, x, weight, mean=(), variance=(), share=1.0):
        """y, and `mean` and `variance` moved by `share` towards the batch's."""
        import tensorflow as tf

        offset, scale = self._offset_and_scale(x, weight)
        return tf.raw_ops.FusedBatchNormV3(
            x=x,
            scale=scale,
            offset=offset,
            mean=mean,
            variance=variance,
            epsilon=self.epsilon,
            exponential_avg_factor=share,
        )[:3]

    def scale_and_offset(self) -> tuple[np.ndarray, np.ndarray]:
        """The layer at inference as x * scale + offset, each (channels,)."""
        mean, variance = (
            ops.convert_to_numpy(v) for v in (self.moving_mean, self.moving_variance)
        )
        scale = 1.0 / np.sqrt(variance + self.epsilon)
        if self.gamma is not None:
            scale = scale * ops.convert_to_numpy(self.gamma)
        offset = -mean * scale
        if self.beta is not None:
            offset = offset + ops.convert_to_numpy(self.beta)
        return scale, offset
