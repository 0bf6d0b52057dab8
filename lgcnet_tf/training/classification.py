"""What training a classifier of images needs beside `fit`: loss and validation."""

import concurrent.futures
import os
from collections.abc import Callable

import keras
import numpy as np
from keras import ops

from lgcnet_tf.data.labelled_images import LabelledImages
from lgcnet_tf.model.classifier import ImageClassifier
from lgcnet_tf.training.fit import compile_built

TOP = 5


@keras.saving.register_keras_serializable("lgcnet_tf")
class SmoothedCrossEntropy(keras.losses.Loss):
    """Cross-entropy against (1 - s) · one-hot + s / classes (Szegedy et al.).

    Args:
        smoothing: s, from 0 to below 1.

    Call arguments:
        y_true: labels, (batch,).
        y_pred: logits, (batch, classes).
    """

    def __init__(self, smoothing=0.0, name="cross_entropy", **kwargs):
        super().__init__(name=name, **kwargs)
        self.smoothing = smoothing

    def call(self, y_true, y_pred):
        classes = y_pred.shape[-1]
        target = ops.one_hot(ops.cast(y_true, "int32"), classes, dtype=y_pred.dtype)
        target = target * (1.0 - self.smoothing) + self.smoothing / classes
        return ops.categorical_crossentropy(target, y_pred, from_logits=True)

    def get_config(self):
        return super().get_config() | {"smoothing": self.smoothing}


def compile_for_classification(
    model: ImageClassifier,
    optimizer: keras.optimizers.Optimizer,
    loss: SmoothedCrossEntropy,
) -> None:
    """Compiles `model` with top-1 and top-5 accuracy; as `compile_for_segmentation`."""
    compile_built(
        model,
        optimizer,
        loss,
        [
            keras.metrics.SparseCategoricalAccuracy("top1"),
            keras.metrics.SparseTopKCategoricalAccuracy(TOP, "top5"),
        ],
        keras.KerasTensor((None,), "int32"),
        keras.KerasTensor((None, model.num_classes)),
    )


class ClassifierValidation:
    """Called at each epoch's end; evaluates every few epochs and at the last.

    Args:
        classifier: in training.
        images: what to evaluate on, or None for never.
        batch_size: images in a step.
        every: epochs from one evaluation to the next.
        epochs: epochs of the whole run.
        get_weights: gives the weights to evaluate; by default the classifier's own.
    """

    def __init__(
        self,
        classifier: ImageClassifier,
        images: LabelledImages | None,
        batch_size: int,
        every: int,
        epochs: int,
        get_weights: Callable[[], list[np.ndarray]] | None = None,
    ):
        self.classifier = classifier
        self.get_weights = get_weights or classifier.get_weights
        self.images = images
        self.batch_size = batch_size
        self.every = every
        self.epochs = epochs
        if images is not None:  # the trained one may lie on several devices
            self.own = type(classifier).from_config(classifier.get_config())
            self.own.jit_compile = keras.backend.backend() == "jax"

    def __call__(self, epoch: int) -> dict[str, float]:
        """`val_top1`, `val_top5` (fractions) and `val_loss` of `epoch`, or nothing."""
        done = epoch + 1
        if self.images is None or (done % self.every and done != self.epochs):
            return {}
        self.own.set_weights(self.get_weights())
        return {f"val_{k}": v for k, v in self.accuracy(self.own).items()}

    def save(self, path: str | os.PathLike) -> None:
        """Writes the classifier with the weights that are evaluated now."""
        self.own.set_weights(self.get_weights())
        self.own.save(path)

    def accuracy(self, classifier: ImageClassifier) -> dict[str, float]:
        """Shares of the images whose class is the first, among the first five.

        Also `loss`, the mean cross-entropy in nats, of labels that are not smoothed.

        Raises:
            InputError: a picture is damaged.
        """
        size, images = self.batch_size, self.images
        crop_size = classifier.input_size
        right, losses = np.zeros(2, int), []
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            for start in range(0, len(images), size):
                part = range(start, min(start + size, len(images)))
                crops = pool.map(lambda i: images.central_crop(i, crop_size), part)
                pixels, labels = zip(*crops)
                filled = [*pixels, *[pixels[0]] * (size - len(part))]  # one shape alone
                logits = classifier.predict_on_batch(np.stack(filled))[: len(part)]
                own = logits[np.arange(len(part)), list(labels)]
                rank = (logits > own[:, None]).sum(axis=1)
                right += (rank < 1).sum(), (rank < TOP).sum()
                losses.append(np.logaddexp.reduce(logits.astype(float), 1) - own)
        top1, top5 = (right / len(images)).tolist()
        return {
            "top1": top1,
            "top5": top5,
            "loss": float(np.concatenate(losses).mean()),
        }
