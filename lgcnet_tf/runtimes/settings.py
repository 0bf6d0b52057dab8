"""Which runtimes there are; nothing heavy is imported with it."""

import dataclasses
import json
import os
import pathlib
from collections.abc import Callable
from typing import Any

from lgcnet_tf.errors import InputError
from lgcnet_tf.extensions import Registry


@dataclasses.dataclass(frozen=True)
class RuntimeSpec:
    """What is known of a runtime of the package before its library is imported.

    Attributes:
        name: as the option `runtime` takes it, and of its module in this room.
        class_name: of the class in that module.
        reads: suffixes of the model files that it reads, its own kind first; `.pb`
            is a SavedModel.
        format: what an export calls the files that are made for it; None where there
            are none.
        file: name of such a file.
    """

    name: str
    class_name: str
    reads: tuple[str, ...] = ()
    format: str | None = None
    file: str = ""


RUNTIMES = (
    RuntimeSpec("tensorflow_graph", "TensorFlowGraph", (".pb",)),
    RuntimeSpec("tensorflow_xla", "TensorFlowXLA", (".pb",)),
    RuntimeSpec("keras_backend", "KerasBackend"),
    RuntimeSpec("tftrt", "TensorFlowTensorRT"),  # a SavedModel would run as it is
    RuntimeSpec("onnxruntime", "OnnxRuntime", (".onnx",), "onnx", "model.onnx"),
    RuntimeSpec("tensorrt", "TensorRT", (".onnx",), "tensorrt", "model.engine"),
    RuntimeSpec("openvino", "OpenVINO", (".xml", ".onnx"), "openvino", "model.xml"),
    RuntimeSpec("litert", "LiteRT", (".tflite",), "litert", "model.tflite"),
)
"""Those of the package."""

ALL_RUNTIMES: Registry[RuntimeSpec | Callable[..., Any]] = Registry(
    "runtime", {spec.name: spec for spec in RUNTIMES}
)
"""Those, and the classes of added ones."""

FILE_FORMATS = {spec.format: spec for spec in RUNTIMES if spec.format}
"""The runtime of each kind of files of other libraries."""


READERS = {spec.reads[0]: spec.name for spec in reversed(RUNTIMES) if spec.reads}
"""The first runtime that reads a kind of model files, by their suffix."""


BACKENDS = ("tensorflow", "jax", "torch")
"""Of Keras, that the package runs on."""


def check_backend() -> None:
    """Refuses another backend before Keras is imported.

    Raises:
        InputError: Keras would take one that the package does not run on.
    """
    if (backend := keras_backend()) not in BACKENDS:
        raise InputError(
            f"Keras' backend is {backend!r}, by KERAS_BACKEND or keras.json; it must be "
            f"one of {', '.join(BACKENDS)}."
        )


def keras_backend() -> str:
    """The backend that Keras will take, without importing it."""
    if named := os.environ.get("KERAS_BACKEND"):
        return named
    home = pathlib.Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser()
    try:
        return json.loads((home / "keras.json").read_text())["backend"]
    except (OSError, ValueError, KeyError, TypeError):
        return "tensorflow"


def default_runtime() -> str:
    """What runs a network where nothing is said: what the backend of Keras can."""
    return "tensorflow_graph" if keras_backend() == "tensorflow" else "keras_backend"


def register_runtime(name: str, runtime: Callable[..., Any]) -> None:
    """Adds a runtime, which the option `runtime` then takes.

    Args:
        name: none of the package's.
        runtime: a class derived from `lgcnet_tf.Runtime`, or a function that returns
            an instance; called as `runtime(threads, precision, images)`.

    Raises:
        InputError: it is a name of the package's own.

    Example:
        >>> import lgcnet_tf as lt
        >>> def two_threads(threads, precision, images):
        ...     from lgcnet_tf.runtimes import get_runtime
        ...     return get_runtime("onnxruntime", 2, precision, images)
        >>> lt.register_runtime("onnx_on_two", two_threads)
    """
    ALL_RUNTIMES.register(name, runtime)
