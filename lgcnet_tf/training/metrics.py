"""The mIoU of the crops while training."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("lgcnet_tf")
class MeanIoU(keras.metrics.MeanIoU):
    """Keras' metric with a confusion matrix that is counted in one pass.

    Numbers, names and variables are Keras' own. Its confusion matrix is a scatter
    of pairs, which on PyTorch walks over all pixels in Python.

    Args:
        num_classes: C.
        void_label: value of the labels to leave out, as is all that is no class.

    Call arguments:
        y_true: labels, (batch, height, width).
        y_pred: logits, (batch, height, width, C).
    """

    def __init__(self, num_classes, void_label=255, name="miou", **kwargs):
        super().__init__(
            num_classes,
            ignore_class=void_label,
            sparse_y_pred=False,
            name=name,
            **kwargs,
        )

    def update_state(self, y_true, y_pred, sample_weight=None):
        if sample_weight is not None:
            return super().update_state(y_true, y_pred, sample_weight)
        classes = self.num_classes
        labels = ops.reshape(ops.cast(y_true, "int32"), (-1,))
        found = ops.reshape(ops.cast(ops.argmax(y_pred, axis=-1), "int32"), (-1,))
        valid = (labels >= 0) & (labels < classes) & (labels != self.ignore_class)
        pairs = ops.where(valid, labels * classes + found, classes**2)
        counts = _count(pairs, classes**2 + 1)[:-1]
        counts = ops.cast(ops.reshape(counts, (classes, classes)), self.dtype)
        return self.total_cm.assign(self.total_cm + counts)

    def get_config(self):
        config = super().get_config()
        return {
            "num_classes": config["num_classes"],
            "void_label": config["ignore_class"],
            "name": config["name"],
            "dtype": config["dtype"],
        }


def _count(values, bins):
    """How often each of 0 … bins - 1 occurs, int32 (bins,); never waits for a GPU."""
    ones = ops.ones_like(values)
    if keras.backend.backend() == "torch":
        return ones.new_zeros(bins).scatter_add_(0, values.long(), ones)
    return ops.segment_sum(ones, values, num_segments=bins)
