"""Accuracy and loss at full size, now and then while training, and pictures."""

import os
from collections.abc import Callable, Mapping

import keras
import numpy as np
from PIL import Image

from lgcnet_tf.data import Samples, geometry, load_samples
from lgcnet_tf.data.fit import mask_of, pieces_of
from lgcnet_tf.errors import NoSuchSplit
from lgcnet_tf.evaluation.metrics import ConfusionMatrix
from lgcnet_tf.model.class_map import class_map
from lgcnet_tf.model.network import Network
from lgcnet_tf.run_folder import RunFolder
from lgcnet_tf.space.skeleton import Size
from lgcnet_tf.training.fixed_images import FixedImages
from lgcnet_tf.training.losses import CrossEntropy
from lgcnet_tf.training.options import TrainingOptions


def load_validation(options: TrainingOptions) -> Samples | None:
    """The validation split; None where none is wanted or the data have none.

    Raises:
        InputError: bad data, or a split that is not the default one and that
            the data do not have.
    """
    split = options.validation_split
    if not split:
        return None
    try:
        return load_samples(
            options.dataset, split, options.data_dir or None, **options.division
        )
    except NoSuchSplit:
        if split != TrainingOptions.validation_split:
            raise
        return None


class Validation:
    """Called at each epoch's end; evaluates every few epochs and at the last.

    Args:
        network: at the size of evaluation; it gets the weights to evaluate.
        sets: what to evaluate on, by the name of the figure, which ends in `miou`;
            empty for never. Pictures are of the first.
        every: epochs from one evaluation to the next.
        epochs: epochs of the whole run.
        pictures_every: epochs from one picture of predictions to the next; 0
            for none.
        folder: gets the pictures, and the IoU of each class, into its events.
        get_weights: gives the weights to evaluate.
    """

    def __init__(
        self,
        network: Network,
        sets: Mapping[str, Samples],
        every: int,
        epochs: int,
        pictures_every: int,
        folder: RunFolder,
        get_weights: Callable[[], list[np.ndarray]],
    ):
        self.network = network
        self.get_weights = get_weights
        self.sets = sets
        self.every = every
        self.epochs = epochs
        self.pictures_every = pictures_every
        self.folder = folder
        if sets:
            first = next(iter(sets.values()))
            self.scores = ClassesAndLoss(network, first.info.void_label)
            self.scores.jit_compile = keras.backend.backend() == "jax"
            self.void_label = first.info.void_label
            if pictures_every:
                self.fixed_images = FixedImages(first, network.input_size)

    def __call__(self, epoch: int) -> dict[str, float]:
        """Figures of `epoch`, counted from 0, or none where none are due.

        The mean IoU, a fraction, by the set's name, such as `val_miou`, and the
        cross-entropy in nats, such as `val_loss`: as the loss of training without
        class weights, it is the mean over the images of the mean over the labelled
        pixels, here of all of them and at the network's own size.
        """
        done = epoch + 1
        evaluates = self.sets and self._due(done, self.every)
        draws = self.sets and self._due(done, self.pictures_every)
        if evaluates or draws:
            self.network.set_weights(self.get_weights())
        if draws:
            picture = self.fixed_images.draw(self.predict_mask)
            self.folder.write_images(done, {"predictions": picture})
        figures = {}
        for name, samples in self.sets.items() if evaluates else ():
            prefix = name.removesuffix("miou")
            matrix, loss = self._evaluate(samples)
            figures |= {name: matrix.miou, f"{prefix}loss": loss}
            classes = zip(samples.info.class_names, matrix.per_class_iou, strict=True)
            tags = {f"{prefix}iou/{name}": float(iou) for name, iou in classes}
            self.folder.write_scalars(done, tags)
        return figures

    def predict_mask(self, images: np.ndarray) -> np.ndarray:
        """Classes of images of the network's size, uint8 (batch, height, width).

        By the function that evaluates, for compiling another one takes long.
        """
        void = np.full(images.shape[:3], self.void_label, np.uint8)
        classes, _ = self.scores.predict_on_batch((images, void))
        return keras.ops.convert_to_numpy(classes)

    def save(self, path: str | os.PathLike) -> None:
        """Writes the network with the weights that are evaluated now."""
        self.network.set_weights(self.get_weights())
        self.network.save(path)

    def _due(self, done, every):
        return every and (done % every == 0 or done == self.epochs)

    def _evaluate(self, samples) -> tuple[ConfusionMatrix, float]:
        info, size = samples.info, self.network.input_size
        matrix = ConfusionMatrix(info.num_classes, info.void_label)
        losses = []
        for sample in samples:
            image, label = sample.image, sample.label
            pieces = pieces_of(image, geometry.DEFAULT_FIT, size)
            grid = label_at(label, size, info.void_label)
            classes, loss = self.scores.predict_on_batch((pieces, grid[None]))
            masks = keras.ops.convert_to_numpy(classes)
            mask = mask_of(masks, geometry.DEFAULT_FIT, image.shape[:2], size)
            matrix.update(label, mask)
            losses.append(float(keras.ops.convert_to_numpy(loss)[0]))
        return matrix, float(np.mean(losses))


class ClassesAndLoss(keras.Model):
    """A network's classes and its cross-entropy, both from one pass.

    Args:
        network: gives logits, (batch, height, width, classes).
        void_label: value of the labels that count nowhere.

    Call arguments:
        inputs: uint8 images (batch, height, width, 3), and labels (batch, height,
            width).

    Returns:
        The class of each pixel, uint8 (batch, height, width), and each image's mean
        cross-entropy in nats, (batch,).
    """

    def __init__(self, network: keras.Model, void_label: int):
        super().__init__()
        self.network = network
        self.loss_of_pixels = CrossEntropy(void_label)

    def build(self, input_shape):
        """Nothing to build; the network is."""

    def call(self, inputs, training=None):
        images, labels = inputs
        logits = self.network(images, training=training)
        return class_map(logits), self.loss_of_pixels.call(labels, logits)


def label_at(label: np.ndarray, input_size: Size, void_label: int) -> np.ndarray:
    """Brings a label to the size of a network, as its picture is brought there.

    Args:
        label: uint8 (height, width).
        input_size: the network's (height, width).
        void_label: what stands beside the picture.

    Returns:
        uint8 (*input_size): the nearest label of each pixel.
    """
    rows, columns = geometry.plan(geometry.DEFAULT_FIT, label.shape, input_size)
    resized = Image.fromarray(label).resize(
        (int(columns.length), int(rows.length)), Image.Resampling.NEAREST
    )
    canvas = np.full((rows.canvas, columns.canvas), void_label, label.dtype)
    canvas[
        rows.offset : rows.offset + rows.length,
        columns.offset : columns.offset + columns.length,
    ] = resized
    return canvas
