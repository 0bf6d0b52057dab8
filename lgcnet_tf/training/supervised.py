"""A network with what only its training needs: auxiliary heads and a teacher."""

from collections.abc import Mapping

import keras
from keras import ops

from lgcnet_tf.model.auxiliary import AuxiliaryHead
from lgcnet_tf.model.network import Network
from lgcnet_tf.training.teacher import Teachers


@keras.saving.register_keras_serializable("lgcnet_tf")
class Distillation(keras.losses.Loss):
    """How far logits are from a teacher's soft labels (Hinton et al., 2015).

    T² · KL(p ‖ softmax(logits / T)), the mean over the pixels of an image that have a
    soft label, so that its gradient does not shrink with T. Each image's mean is
    taken by itself.

    Args:
        temperature: T.

    Call arguments:
        y_true: p, softmax(the teacher's logits / T), (batch, height, width, classes);
            all 0 at a pixel that is to be left out.
        y_pred: logits of the same shape.
    """

    def __init__(self, temperature=1.0, name="distillation", **kwargs):
        super().__init__(name=name, **kwargs)
        self.temperature = temperature

    def call(self, y_true, y_pred):
        scores = ops.cast(y_pred, "float32") / self.temperature
        soft = ops.cast(y_true, "float32")
        known = ops.log(ops.where(soft > 0, soft, 1.0))
        pixels = ops.sum(soft * (known - ops.log_softmax(scores, axis=-1)), axis=-1)
        count = ops.sum(soft, axis=(1, 2, 3))  # each labelled pixel's sum is 1
        mean = ops.sum(pixels, axis=(1, 2)) / ops.maximum(count, 1.0)
        return self.temperature**2 * mean

    def get_config(self):
        return super().get_config() | {"temperature": self.temperature}


class SupervisedNetwork(keras.Model):
    """Trains a network by more than the labels at its end.

    The loss it is compiled with is that of the network's own logits; the same loss
    of each auxiliary head's logits and the distance from the teachers are added. At
    inference it is the network. Its metrics are the network's.

    Args:
        network: a derived network, which is what is kept.
        heads: by the index of a cell, what classifies its output.
        auxiliary_weight: factor of the mean of the heads' losses.
        teachers: see `Teachers`; None for none.
        teacher_weight: factor of the distance from them.
        void_label: value of the pixels to leave out; padding is void too.
    """

    def __init__(
        self,
        network: Network,
        heads: Mapping[int, AuxiliaryHead] | None = None,
        auxiliary_weight: float = 0.0,
        teachers: Teachers | None = None,
        teacher_weight: float = 0.0,
        void_label: int = 255,
    ):
        super().__init__(autocast=False, name="supervised")
        self.network = network
        self.cells = tuple(heads or ())
        self.heads = [heads[cell] for cell in self.cells]
        self.auxiliary_weight = auxiliary_weight
        self.teachers = teachers
        self.teacher_weight = teacher_weight
        self.void_label = void_label
        self.distillation = Distillation(teachers.temperature) if teachers else None
        self.built = True

    def call(self, images, training=None):
        if not training or not self.heads:
            return [self.network(images, training=training)]
        maps = self.network.cell_outputs(images, training=True)
        size = tuple(images.shape[1:3])
        pairs = zip(self.cells, self.heads)
        auxiliary = [head(maps[cell], size=size, training=True) for cell, head in pairs]
        return [self.network.classify(maps, training=True), *auxiliary]

    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        logits, *auxiliary = y_pred
        loss = super().compute_loss(x, y, logits, sample_weight, training=training)
        if not training:
            return loss
        for other in auxiliary:
            loss += self.auxiliary_weight / len(auxiliary) * self.loss(y, other)
        if self.teachers:
            known = ops.cast(ops.not_equal(y, self.void_label), "float32")
            soft = self.teachers(x) * known[..., None]
            loss += self.teacher_weight * self.distillation(soft, logits)
        return loss

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        return super().compute_metrics(x, y, y_pred[0], sample_weight)
