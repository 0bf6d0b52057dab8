"""Which runtimes there are; nothing heavy is imported with it."""

from collections.abc import Callable
from typing import Any

from lgcnet_tf.extensions import Registry

RUNTIMES = {
    "tensorflow_graph": "TensorFlowGraph",
    "tensorflow_xla": "TensorFlowXLA",
    "keras_backend": "KerasBackend",
    "tftrt": "TensorFlowTensorRT",
    "onnxruntime": "OnnxRuntime",
    "tensorrt": "TensorRT",
    "openvino": "OpenVINO",
    "litert": "LiteRT",
}
"""Modules of `lgcnet_tf.runtimes` with the class in each, by name."""

ALL_RUNTIMES: Registry[str | Callable[..., Any]] = Registry("runtime", RUNTIMES)
"""Those, and the classes of added ones."""


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
