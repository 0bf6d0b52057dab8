"""Model files of other libraries: what runs them, and what they say of themselves."""

import dataclasses
import os
import pathlib
from typing import Any

import numpy as np

from lgcnet_tf.convert.onnx import graph_size
from lgcnet_tf.errors import InputError
from lgcnet_tf.files import read_json
from lgcnet_tf.runtimes import get_runtime
from lgcnet_tf.runtimes.base import Compiled, Runtime
from lgcnet_tf.runtimes.settings import READERS

_PATTERN = "[\\"


_INSIDE = (
    "model.keras",
    "finetune/model.keras",
    "saved_model",
    "export/saved_model",
)
"""Models that the folders of runs have, of `lgcnet run` too."""


def saved_model_folder(model: str) -> pathlib.Path | None:
    """The folder with a SavedModel: `model` or its newest version; None for a file.

    Raises:
        InputError: a folder without one.
    """
    path = pathlib.Path(model)
    if not model or not path.is_dir():
        return None
    numbered = [p for p in path.iterdir() if p.name.isdecimal()]
    for folder in (path, *sorted(numbered, key=lambda p: int(p.name), reverse=True)):
        if (folder / "saved_model.pb").is_file():
            return folder
    inside = [p for n in _INSIDE if (p := path / n).exists()]
    hint = f" Name what is in it: {' or '.join(map(str, inside))}." if inside else ""
    raise InputError(f"{model}: a folder without a SavedModel.{hint}")


def check_loadable(folder: str | os.PathLike) -> None:
    """Refuses a folder from which TensorFlow loads no variables.

    It takes the path of a SavedModel's variables for a pattern of file names.

    Raises:
        InputError: the path has a character that means something in a pattern.
    """
    path = os.path.abspath(folder)
    found = next((character for character in _PATTERN if character in path), "")
    if found:
        raise InputError(
            f"{path}: TensorFlow loads no SavedModel from a path with {found!r}; name "
            "a folder without it."
        )


def kind_of(model: str) -> str | None:
    """The key of `READERS` that a model's file has; None for networks of ours.

    Raises:
        InputError: as `saved_model_folder`, or there is no such file.
    """
    if saved_model_folder(model):
        return ".pb"
    path = pathlib.Path(model)
    if path.suffix not in READERS or path.suffix == ".pb":
        return None
    if not path.is_file():
        raise InputError(f"{model}: no such file.")
    return path.suffix


def runtime_for(model: str, runtime: Runtime) -> Runtime:
    """`runtime`, or the one that a model's file needs instead.

    Raises:
        InputError: no such file, its runtime cannot run here, or the file would
            have to be brought to another precision.
    """
    kind = kind_of(model)
    if kind is None:
        return runtime
    if runtime.precision != "float32":
        raise InputError(
            f"{model}: a file runs in the precision it was made in; leave out "
            f"--precision={runtime.precision}."
        )
    if kind in runtime.suffixes:
        return runtime
    return get_runtime(READERS[kind], runtime.threads_asked)


@dataclasses.dataclass(frozen=True)
class ModelFile:
    """What a file says of its model, and the model ready to run.

    Attributes:
        compiled: on the kind's own runtime, for the batch that the file wants.
        input_size: (height, width) of its images.
        params, macs: None where neither the file nor its card says.
        card: what `lgcnet-export` wrote beside it; empty for others' files.
    """

    compiled: Compiled
    input_size: tuple[int, int]
    params: int | None
    macs: int | None
    card: dict[str, Any]


def read_model_file(path: str) -> ModelFile:
    """Loads a `.onnx`, `.tflite` or `.xml` file.

    Raises:
        InputError: it is damaged, or takes no images of a fixed size.
    """
    kind = pathlib.Path(path).suffix
    compiled = get_runtime(READERS[kind]).load(path)
    shape = compiled.input_shape
    if len(shape) != 4 or 3 not in (shape[1], shape[3]):
        raise InputError(f"{path}: takes no RGB images: its input is {shape}.")
    card = read_card(path)
    metadata = card.get("metadata", {})
    params, macs = metadata.get("params"), metadata.get("macs")
    if kind == ".onnx" and None in (params, macs):
        size = graph_size(path)
        params, macs = params or size.params, macs or size.macs
    channels_last = shape[3] == 3
    return ModelFile(
        compiled,
        tuple(shape[1:3] if channels_last else shape[2:]),
        params,
        macs,
        card,
    )


def card_path(path: str | os.PathLike) -> pathlib.Path:
    """Where the card of a model file lies: `model.onnx.json` of `model.onnx`."""
    path = pathlib.Path(path)
    return path.with_name(f"{path.name}.json")


def is_card(path: str | os.PathLike) -> bool:
    """Whether a file is a card that an export wrote."""
    try:
        card = read_json(path)
    except InputError:
        return False
    return isinstance(card, dict) and {"class_names", "input_size"} <= card.keys()


def read_card(path: str | os.PathLike) -> dict[str, Any]:
    """What an export said of a model file; nothing of others' files.

    An export used to write one `model.json` whatever the format, which is read
    where it can only be this file's.

    Raises:
        InputError: a `model.json` may be of another file, or the file's own card
            is damaged.
    """
    path = pathlib.Path(path)
    card = card_path(path)
    if card.is_file():
        if not is_card(card):
            raise InputError(f"{card}: no card of a model that lgcnet-export wrote.")
        return read_json(card)
    card = path.with_suffix(".json")
    if not is_card(card):
        return {}
    others = [
        other.name
        for other in (path.with_suffix(suffix) for suffix in READERS)
        if other != path and other.is_file() and not card_path(other).is_file()
    ]
    if others:
        raise InputError(
            f"{card}: of {path.name} or of {others[0]}? It does not say; rename it to "
            f"{card_path(path).name} if it is of {path.name}."
        )
    return read_json(card)


class MaskOfCompiled:
    """What a runtime compiled, as a function: the masks are the runtime's own.

    Takes uint8 images (n, height, width, 3) and gives uint8 masks (n, height,
    width); it runs on batches of the size it was compiled for.

    Args:
        model: its name, for errors.
        compiled: takes images, gives masks.
        input_size: (height, width) of the images.

    Raises:
        InputError: when called, the model takes other input or gives no mask.
    """

    def __init__(self, model: str, compiled: Compiled, input_size: tuple[int, int]):
        self.model, self.compiled, self.input_size = model, compiled, input_size

    def __call__(self, images: np.ndarray) -> np.ndarray:
        if self.compiled.input_dtype != "uint8":
            raise InputError(f"{self.model}: not a file made by lgcnet-export.")
        batch = self.compiled.input_shape[0]
        masks = []
        for first in range(0, len(images), batch):
            part = images[first : first + batch]
            full = np.resize(part, (batch, *images.shape[1:]))  # repeats them
            masks.append(np.asarray(self.compiled.predict(full))[: len(part)])
        masks = np.concatenate(masks)
        if masks.shape != images.shape[:3]:
            raise InputError(f"{self.model}: gives {masks.shape[1:]}, not masks.")
        return masks.astype(np.uint8)
