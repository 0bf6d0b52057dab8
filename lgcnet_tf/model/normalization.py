"""Batch normalisation as this package uses it everywhere."""

import keras
import numpy as np
from keras import ops


def replicas() -> int:
    """Replicas of the TensorFlow strategy in scope; 1 on other backends."""
    if keras.backend.backend() != "tensorflow":
        return 1
    import tensorflow as tf

    return tf.distribute.get_strategy().num_replicas_in_sync


@keras.saving.register_keras_serializable("lgcnet_tf")
class BatchNorm(keras.layers.BatchNormalization):
    """Keras' layer, synchronised across replicas where there are several.

    On one TensorFlow replica training statistics go through TensorFlow's fused
    kernel, which computes the same with fewer passes over memory.

    Args:
        affine: learns a scale and an offset (training), or neither (search).
        momentum, epsilon: as in Keras; PyTorch's defaults, which the paper used.

    Attributes:
        by_batch: True normalises by the batch's own statistics, at inference
            too, and keeps no moving ones: then a call changes no variable.

    Call arguments:
        weight: a scalar that multiplies the output, Z of Eq. 3. The fused
            kernel takes it as its scale, which saves a pass over memory.
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
        self.by_batch = False

    def call(self, x, weight=None, training=None):
        if self.by_batch:
            return self._call_by_batch(x, weight)
        if (
            not training
            or self.synchronized
            or keras.backend.backend() != "tensorflow"
            or len(x.shape) != 4
        ):
            y = super().call(x, training=training)
            return y if weight is None else y * ops.cast(weight, y.dtype)
        y, mean, variance = self._fused(x, weight)
        # The kernel gives the unbiased variance; Keras keeps the biased one.
        count = ops.cast(ops.size(x) / x.shape[-1], variance.dtype)
        variance *= (count - 1.0) / count
        for moving, batch in (
            (self.moving_mean, mean),
            (self.moving_variance, variance),
        ):
            moving.assign(moving * self.momentum + batch * (1.0 - self.momentum))
        return y

    def _call_by_batch(self, x, weight):
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
        scale = ops.ones(shape) if self.gamma is None else self.gamma.value
        offset = ops.zeros(shape) if self.beta is None else self.beta.value
        if weight is not None:
            weight = ops.cast(weight, "float32")
            scale, offset = scale * weight, offset * weight
        return offset, scale

    def _fused(self, x, weight):
        import tensorflow as tf

        offset, scale = self._offset_and_scale(x, weight)
        return tf.compat.v1.nn.fused_batch_norm(x, scale, offset, epsilon=self.epsilon)

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
