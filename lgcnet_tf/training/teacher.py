"""Networks that a network learns from: their soft labels of a crop."""

import os
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from lgcnet_tf.convert.packages import import_package
from lgcnet_tf.errors import InputError
from lgcnet_tf.model.deploy import deploy
from lgcnet_tf.model.network import Network
from lgcnet_tf.model.sizes import at_size
from lgcnet_tf.model.zoo import load_network, model_path, zoo_names
from lgcnet_tf.run_folder import Inputs, input_file
from lgcnet_tf.space.skeleton import Size

Logits = Callable[[Any], Any]
"""Images (batch, height, width, 3) in 0…255 → logits (batch, height, width, classes)."""


class Teachers:
    """The mean of some networks' softened predictions.

    None of their weights are trained, nor saved with what learns from them.

    Args:
        names: of networks, see `load_teacher`.
        num_classes: of the labels.
        sizes: all (height, width) of the crops.
        temperature: T, by which logits are divided before the softmax.

    Call arguments:
        images: uint8 (batch, height, width, 3).

    Returns:
        Probabilities (batch, height, width, num_classes), without a gradient.

    Raises:
        InputError: as `load_teacher`.
    """

    def __init__(
        self,
        names: Sequence[str],
        num_classes: int,
        sizes: Sequence[Size],
        temperature: float = 1.0,
    ):
        self.temperature = temperature
        self.by_size = {
            tuple(size): [
                load_teacher(name, num_classes, tuple(size)) for name in names
            ]
            for size in sizes
        }

    def __call__(self, images):
        teachers = self.by_size[tuple(images.shape[1:3])]
        soft = [ops.softmax(t(images) / self.temperature, axis=-1) for t in teachers]
        return ops.stop_gradient(sum(soft) / len(soft))


def teacher_inputs(names: Sequence[str]) -> Inputs:
    """The teachers' files, so that a run goes on only with the same.

    Raises:
        InputError: there is no such file.
    """
    found: dict[str, dict[str, str]] = {}
    for name in names:
        for files in input_file("--teacher", _path(name)).values():
            found.setdefault("--teacher", {}).update(files)
    return found


def load_teacher(name: str, num_classes: int, size: Size) -> Logits:
    """A network that is ready to label crops.

    Args:
        name: of the zoo, or a file: a `.keras` of this package or another Keras model,
            or an ONNX model. The last two take RGB in 0…255 and give a logit for
            each class and pixel; an ONNX model may have its channels first.
        num_classes: of the labels.
        size: (height, width) of the crops.

    Raises:
        InputError: there is no such model, it is damaged, of other classes, or of
            another size that cannot be changed.
    """
    path = _path(name)
    if path.suffix == ".onnx":
        return _Onnx(name, path, num_classes, size)
    model = _keras_model(name, path)
    if isinstance(model, Network):
        _check_classes(name, model.num_classes, num_classes)
        model = deploy(at_size(model, size))
    else:
        _check_shapes(name, model.input_shape, model.output_shape, num_classes, size)
    model.trainable = False
    return lambda images: ops.cast(model(images, training=False), "float32")


def _path(name) -> pathlib.Path:
    path = pathlib.Path(name)
    if path.suffix == ".onnx" and path.is_file():
        return path
    if name in zoo_names() or (path.suffix == ".keras" and path.is_file()):
        return model_path(name)
    raise InputError(
        f"--teacher: {name or 'an empty name'}: no such network; give a .keras or .onnx "
        f"file or one of the zoo: {', '.join(zoo_names()) or '(empty)'}."
    )


def _keras_model(name, path) -> keras.Model:
    try:
        return load_network(path)
    except InputError as error:
        refused = error
    try:
        model = keras.saving.load_model(path, compile=False)
    except Exception:  # whatever is in the file
        raise InputError(f"--teacher: {refused}") from None
    if isinstance(model, Network):  # of another kind, as one that classifies images
        raise InputError(f"--teacher: {refused}")
    shapes = getattr(model, "input_shape", None), getattr(model, "output_shape", None)
    if not all(isinstance(shape, tuple) and len(shape) == 4 for shape in shapes):
        raise InputError(
            f"--teacher: {name}: takes no images or gives no logit for each pixel and "
            f"class. Its input is {shapes[0]}, its output {shapes[1]}."
        )
    return model


def _check_classes(name, found, num_classes):
    if found != num_classes:
        raise InputError(
            f"--teacher: {name} tells {found} classes apart, the training data have "
            f"{num_classes}."
        )


def _check_shapes(name, given, wanted, num_classes, size):
    """Both (batch, height, width, channels), None or text where free."""
    _check_classes(name, wanted[-1], num_classes)
    if given[-1] != 3:
        raise InputError(f"--teacher: {name} takes no RGB images: {given}.")
    for what, shape in (("takes images", given), ("gives logits", wanted)):
        fixed = [isinstance(side, int) for side in shape[1:3]]
        if any(f and s != w for f, s, w in zip(fixed, shape[1:3], size)):
            raise InputError(
                f"--teacher: {name} {what} of {shape[1]}x{shape[2]}, crops are "
                f"{size[0]}x{size[1]}; give such a --crop_size, or a network of the zoo "
                "or a .keras file of lgcnet-finetune, which fit any."
            )


class _Onnx:
    """An ONNX model, run by ONNX Runtime outside of the graph."""

    def __init__(self, name, path, num_classes, size):
        onnxruntime = import_package("onnxruntime", f"--teacher={name}")
        try:
            self.session = onnxruntime.InferenceSession(
                os.fspath(path), providers=onnxruntime.get_available_providers()
            )
        except Exception as error:  # ONNX Runtime has a dozen of its own
            reason = str(error).splitlines()[0] if str(error) else "it cannot be read"
            raise InputError(f"--teacher: {name}: {reason}") from None
        (given, *_), (wanted, *_) = (
            self.session.get_inputs(),
            self.session.get_outputs(),
        )
        shapes = [list(given.shape), list(wanted.shape)]
        if any(len(shape) != 4 for shape in shapes):
            raise InputError(
                f"--teacher: {name}: takes no images or gives no logit for each pixel "
                f"and class. Its input is {given.shape}, its output {wanted.shape}. "
                "What lgcnet-export writes gives masks; take the .keras file."
            )
        self.first = [shapes[0][1] == 3, shapes[1][1] == num_classes]
        self.batch = shapes[0][0]
        shapes = [
            [shape[0], *shape[2:], shape[1]] if first else shape
            for shape, first in zip(shapes, self.first)
        ]
        _check_shapes(name, *shapes, num_classes, size)
        self.input = given.name
        self.dtype = "uint8" if "uint8" in given.type else "float32"
        self.shape = (*size, num_classes)

    def run(self, images) -> np.ndarray:
        """The logits, float32, of images as an array."""
        images = np.asarray(images).astype(self.dtype)
        if self.first[0]:
            images = images.transpose(0, 3, 1, 2)
        step = self.batch if isinstance(self.batch, int) else len(images)
        parts = []
        for start in range(0, len(images), step):
            part = images[start : start + step]
            full = np.resize(part, (step, *images.shape[1:]))  # repeats them
            (logits, *_) = self.session.run(None, {self.input: full})
            parts.append(logits[: len(part)])
        logits = np.concatenate(parts).astype("float32")
        return logits.transpose(0, 2, 3, 1) if self.first[1] else logits

    def __call__(self, images):
        backend = keras.backend.backend()
        if backend == "tensorflow":
            import tensorflow as tf

            logits = tf.numpy_function(self.run, [images], tf.float32, stateful=False)
            logits.set_shape((images.shape[0], *self.shape))
            return logits
        if backend == "jax":
            import jax

            shape = jax.ShapeDtypeStruct((images.shape[0], *self.shape), "float32")
            return jax.pure_callback(self.run, shape, images)
        return ops.convert_to_tensor(self.run(ops.convert_to_numpy(images)))
