"""Test-time augmentation: an image mirrored and at several scales, averaged."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops
from PIL import Image

from lgcnet_tf.data import Samples
from lgcnet_tf.errors import InputError
from lgcnet_tf.evaluation.augmented_options import AugmentedOptions
from lgcnet_tf.evaluation.evaluate import EvaluationResult, evaluate
from lgcnet_tf.evaluation.model_files import kind_of
from lgcnet_tf.evaluation.models import LoadedModel
from lgcnet_tf.model.deploy import deploy
from lgcnet_tf.model.network import Network
from lgcnet_tf.model.sizes import at_size
from lgcnet_tf.model.zoo import load_network
from lgcnet_tf.space.skeleton import Size


class AugmentedMask:
    """Masks of the mean probabilities over scales and mirror images.

    At each scale the network is built for images of that size; they are resized as
    for training, its probabilities bilinearly to its own size.

    Args:
        network: derived, not folded.
        flip: runs every image mirrored too.
        scales: factors of the network's size; 1 alone if there are none.

    Call arguments:
        images: uint8 (batch, *input_size, 3).

    Returns:
        uint8 (batch, *input_size).
    """

    def __init__(self, network: Network, flip: bool, scales: Sequence[float] = ()):
        self.input_size = network.input_size
        self.flip = flip
        self.parts = [
            _Probabilities(deploy(_scaled(network, scale)), network.input_size)
            for scale in scales or (1.0,)
        ]

    def __call__(self, images: np.ndarray) -> np.ndarray:
        total = 0.0
        for part in self.parts:
            resized = _resized(images, part.size)
            total = total + part.of(resized)
            if self.flip:
                mirrored = np.ascontiguousarray(resized[:, :, ::-1])
                total = total + part.of(mirrored)[:, :, ::-1]
        return total.argmax(-1).astype(np.uint8)


def evaluate_augmented(
    model: LoadedModel,
    samples: Samples,
    options: AugmentedOptions,
    batch_size: int,
    fit: str,
) -> EvaluationResult | None:
    """The accuracy with flip and scales; None where neither is wanted.

    Args:
        model: a network of this package.
        samples: the images with labels.
        batch_size: images for each call.
        fit: as for `evaluate`.

    Raises:
        InputError: the model is a file that gives masks, or has no weights.
    """
    if not options.flip and not options.scales:
        return None
    network = load_network(model.name, model.input_size)
    predict = AugmentedMask(network, options.flip, options.scales)
    return evaluate(predict, samples, batch_size, progress=False, fit=fit)


def check_augmentable(model: LoadedModel, options: AugmentedOptions) -> None:
    """Refuses what cannot be evaluated so, before anything has been measured.

    Raises:
        InputError: as `evaluate_augmented`.
    """
    if not options.flip and not options.scales:
        return
    if kind_of(model.name):
        raise InputError(
            f"--flip and --scales need a network's probabilities; {model.name} gives "
            "masks. Give a name of the zoo or a .keras file."
        )
    if not model.trained:
        raise InputError(
            f"--flip and --scales: {model.name} is a genotype, without weights."
        )


def augmented_figures(
    result: EvaluationResult | None, options: AugmentedOptions
) -> dict[str, Any]:
    """What `results.json` says of it, apart from the plain network's figures."""
    if result is None:
        return {}
    figures = result.to_dict()
    return {
        "miou_augmented": figures["miou"],
        "per_class_iou_augmented": figures["per_class_iou"],
        "augmented_by": {"flip": options.flip, "scales": list(options.scales) or [1.0]},
    }


def augmented_text(options: AugmentedOptions) -> str:
    """What was done to the images, for a line: `flip and scales 0.75, 1`."""
    scales = ", ".join(f"{scale:g}" for scale in options.scales)
    parts = ["flip"] * options.flip + [f"scales {scales}"] * bool(scales)
    return " and ".join(parts)


class _Probabilities(keras.Model):
    """A network's probabilities, brought to another size."""

    def __init__(self, network: keras.Model, input_size: Size):
        super().__init__(name="probabilities")
        self.network = network
        self.size = network.input_size
        self.target = tuple(input_size)
        self.built = True
        self.jit_compile = keras.backend.backend() == "jax"

    def call(self, images, training=None):
        soft = ops.softmax(self.network(images, training=False), axis=-1)
        if self.size == self.target:
            return soft
        return ops.image.resize(soft, self.target, interpolation="bilinear")

    def of(self, images: np.ndarray) -> np.ndarray:
        """Of images as arrays, compiled by the backend if it can."""
        return ops.convert_to_numpy(self.predict_on_batch(images))


def _scaled(network, scale):
    size = tuple(max(1, round(scale * side)) for side in network.input_size)
    return network if size == network.input_size else at_size(network, size)


def _resized(images, size):
    if images.shape[1:3] == size:
        return images
    parts = [Image.fromarray(image) for image in images]
    box = (size[1], size[0])
    return np.stack(
        [np.asarray(p.resize(box, Image.Resampling.BILINEAR)) for p in parts]
    )
