"""Losses that measure whole regions, as the IoU does: Lovász-softmax and Dice."""

from collections.abc import Sequence

import keras
from keras import ops


class RegionLoss(keras.losses.Loss):
    """What region losses share: one figure for each class of each image.

    A loss is the mean over the classes that an image has, so that a class counts
    the same whatever its area: they need no class weights. Pixels that are void
    are left out, and an image without labels has the loss 0. Each image's mean is
    taken by itself, so that a batch split over replicas has the loss of the whole.

    Args:
        void_label: value of the pixels to ignore.

    Call arguments:
        y_true: labels, (batch, height, width).
        y_pred: logits, (batch, height, width, classes).
    """

    def __init__(self, void_label=255, name=None, **kwargs):
        super().__init__(name=name, **kwargs)
        self.void_label = void_label

    def call(self, y_true, y_pred):
        batch, height, width, classes = y_pred.shape
        shape = (-1, height * width)
        labels = ops.reshape(ops.cast(y_true, "int32"), shape)
        valid = ops.not_equal(labels, self.void_label)
        scores = ops.reshape(ops.cast(y_pred, "float32"), (*shape, classes))
        probabilities = ops.transpose(ops.softmax(scores, axis=-1), (0, 2, 1))
        own = ops.equal(labels[:, None, :], ops.arange(classes)[None, :, None])
        own = ops.cast(own & valid[:, None, :], "float32")
        present = ops.cast(ops.any(own > 0, axis=2), "float32")
        losses = self.by_class(own, probabilities, ops.cast(valid, "float32"))
        count = ops.maximum(ops.sum(present, axis=1), 1.0)
        return ops.sum(losses * present, axis=1) / count

    def by_class(self, own, probabilities, valid):
        """The loss of each class, (batch, classes); any number where it is absent.

        Args:
            own: 1 where a pixel is of the class, else 0, (batch, classes, pixels).
            probabilities: of the class, (batch, classes, pixels).
            valid: 0 for void, else 1, (batch, pixels).
        """
        raise NotImplementedError

    def get_config(self):
        return super().get_config() | {"void_label": self.void_label}


@keras.saving.register_keras_serializable("lgcnet_tf")
class LovaszSoftmax(RegionLoss):
    """The Lovász extension of 1 - IoU of each class (Berman et al., CVPR 2018).

    A class' errors, 1 - p on its own pixels and p elsewhere, are sorted from the
    largest; each counts by how much the IoU falls when its pixel is lost besides all
    of larger error.

    Args:
        void_label: value of the pixels to ignore.
    """

    def __init__(self, void_label=255, name="lovasz_softmax", **kwargs):
        super().__init__(void_label, name=name, **kwargs)

    def by_class(self, own, probabilities, valid):
        errors = ops.abs(own - probabilities)
        ranked = ops.where(valid[:, None, :] > 0, errors, -1.0)  # void comes last
        order = ops.argsort(-ops.stop_gradient(ranked), axis=2)
        own = ops.take_along_axis(own, order, axis=2)
        errors = ops.relu(ops.take_along_axis(ranked, order, axis=2))
        total = ops.sum(own, axis=2, keepdims=True)
        intersection = total - ops.cumsum(own, axis=2)
        union = total + ops.cumsum(1.0 - own, axis=2)
        lost = 1.0 - intersection / ops.maximum(union, 1.0)
        steps = ops.concatenate([lost[:, :, :1], lost[:, :, 1:] - lost[:, :, :-1]], 2)
        return ops.sum(errors * ops.stop_gradient(steps), axis=2)


@keras.saving.register_keras_serializable("lgcnet_tf")
class Dice(RegionLoss):
    """1 - 2 Σ p·y / (Σ p + Σ y) of each class, the sums over an image's pixels.

    Args:
        void_label: value of the pixels to ignore.
    """

    def __init__(self, void_label=255, name="dice", **kwargs):
        super().__init__(void_label, name=name, **kwargs)

    def by_class(self, own, probabilities, valid):
        probabilities = probabilities * valid[:, None, :]
        shared = ops.sum(own * probabilities, axis=2)
        areas = ops.sum(own, axis=2) + ops.sum(probabilities, axis=2)
        return 1.0 - 2.0 * shared / ops.maximum(areas, 1.0)


@keras.saving.register_keras_serializable("lgcnet_tf")
class WeightedSum(keras.losses.Loss):
    """A weighted sum of losses of the same labels and logits.

    Args:
        losses: Keras losses; those that are named by a configuration are made.
        weights: a factor for each.
    """

    def __init__(
        self,
        losses: Sequence[keras.losses.Loss],
        weights: Sequence[float],
        name="weighted_sum",
        **kwargs,
    ):
        super().__init__(name=name, **kwargs)
        self.losses = [keras.losses.get(loss) for loss in losses]
        self.weights = [float(weight) for weight in weights]

    @property
    def void_label(self):
        """Value of the pixels to ignore."""
        return self.losses[0].void_label

    def call(self, y_true, y_pred):
        parts = zip(self.losses, self.weights, strict=True)
        return sum(weight * loss.call(y_true, y_pred) for loss, weight in parts)

    def get_config(self):
        return super().get_config() | {
            "losses": [keras.losses.serialize(loss) for loss in self.losses],
            "weights": self.weights,
        }


def with_regions(
    loss: keras.losses.Loss, lovasz_weight: float, dice_weight: float
) -> keras.losses.Loss:
    """The cross-entropy `loss`, with the region losses whose weight is not 0 added."""
    void = loss.void_label
    regions = ((LovaszSoftmax(void), lovasz_weight), (Dice(void), dice_weight))
    added = [(region, weight) for region, weight in regions if weight]
    if not added:
        return loss
    losses, weights = zip((loss, 1.0), *added)
    return WeightedSum(losses, weights)
