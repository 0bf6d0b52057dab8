"""What runs a network on a device: one module for each, chosen by name."""

import importlib

from lgcnet_tf.errors import InputError
from lgcnet_tf.latency.runtimes.base import Runtime

RUNTIMES = {
    "tensorflow_graph": "TensorFlowGraph",
    "keras_backend": "KerasBackend",
}
"""Modules of this package with the class in each; imported only when asked for."""


def get_runtime(name: str, threads: int | None = None) -> Runtime:
    """Makes the runtime `name`.

    Args:
        name: one of `RUNTIMES`.
        threads: CPU threads it may use; None leaves that to the runtime.

    Raises:
        InputError: there is no such runtime, or it cannot be set to `threads`.
    """
    if name not in RUNTIMES:
        raise InputError(
            f"runtime: must be one of {', '.join(RUNTIMES)}. Received: {name!r}"
        )
    try:
        module = importlib.import_module(f"{__name__}.{name}")
    except ModuleNotFoundError as error:
        raise InputError(f"runtime {name}: needs {error.name}, not installed.") from None
    return getattr(module, RUNTIMES[name])(threads)
