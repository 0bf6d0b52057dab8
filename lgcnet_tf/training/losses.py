"""Losses of segmentation: plain and online-bootstrapped cross-entropy."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("lgcnet_tf")
class CrossEntropy(keras.losses.Loss):
    """Cross-entropy over the pixels that are not void, or over the hardest.

    Each image's mean is taken by itself, so that images weigh the same and a
    batch split over replicas has the loss of the whole batch.

    Args:
        void_label: value of the pixels to ignore.
        hardest: share of an image's pixels to keep, those of largest loss
            (online bootstrapping, Wu et al., the paper's [58]); 1 keeps all.
        class_weights: a factor for the pixels of each class, (classes,), or None
            for 1. The sum of an image's weighted losses is divided by the count
            of its pixels, not by the sum of their weights, so that an image with
            much of a rare class counts for more. The hardest are the largest
            weighted losses.

    Call arguments:
        y_true: labels, (batch, height, width).
        y_pred: logits, (batch, height, width, classes).
    """

    def __init__(
        self,
        void_label=255,
        hardest=1.0,
        class_weights=None,
        name="cross_entropy",
        **kwargs,
    ):
        super().__init__(name=name, **kwargs)
        if not 0.0 < hardest <= 1.0:
            raise ValueError(f"hardest must lie in (0, 1]. Received: {hardest}")
        self.void_label = void_label
        self.hardest = hardest
        self.class_weights = (
            None if class_weights is None else [float(w) for w in class_weights]
        )

    def call(self, y_true, y_pred):
        labels = ops.cast(y_true, "int32")
        valid = ops.not_equal(labels, self.void_label)
        labels = ops.where(valid, labels, 0)
        pixels = ops.sparse_categorical_crossentropy(labels, y_pred, from_logits=True)
        valid = ops.cast(valid, pixels.dtype)
        if self.class_weights is not None:
            weights = ops.convert_to_tensor(self.class_weights, pixels.dtype)
            pixels = pixels * ops.take(weights, labels)
        batch, height, width = pixels.shape
        pixels = ops.reshape(pixels * valid, (-1, height * width))
        count = ops.sum(valid, axis=(1, 2))
        if self.hardest < 1.0:
            keep = max(1, int(self.hardest * height * width))
            pixels, _ = ops.top_k(pixels, keep, sorted=False)
            count = ops.minimum(count, float(keep))
        return ops.sum(pixels, axis=1) / ops.maximum(count, 1.0)

    def get_config(self):
        return super().get_config() | {
            "void_label": self.void_label,
            "hardest": self.hardest,
            "class_weights": self.class_weights,
        }
