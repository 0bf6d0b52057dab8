"""Packages that only some users need, imported when they are."""

import importlib
import types

from lgcnet_tf.errors import InputError

_PIP_NAMES = {
    "PIL": "pillow",
    "absl": "absl-py",
    "ai_edge_litert": "ai-edge-litert",
    "array_record": "array-record",
    "cuda": "cuda-python",
    "cv2": "opencv-python-headless",
    "google": "protobuf",
    "grpc": "grpcio",
    "grpc_health": "grpcio-health-checking",
    "importlib_resources": "importlib-resources",
    "tensorflow_datasets": "tensorflow-datasets",
    "tensorflow_serving": "tensorflow-serving-api",
}
_USED_WITH = {
    "onnx": ("tf2onnx",),
    "onnxruntime": ("onnx", "tf2onnx"),
    "openvino": ("onnx", "tf2onnx"),
    "tf2onnx": ("onnx",),
}
"""What is needed besides to bring networks to a runtime, by its package."""


def import_package(module: str, user: str) -> types.ModuleType:
    """Imports `module`, a part of an optional package.

    Args:
        user: what needs it, e.g. `runtime openvino`.

    Raises:
        InputError: it is not installed; says how it is.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        missing = (error.name or module).partition(".")[0]
        raise InputError(f"{user}: {needs(missing)}") from None


def needs(missing: str) -> str:
    """What to say of a missing module's package, by the module's first name."""
    package = _PIP_NAMES.get(missing, missing)
    packages = " ".join((package, *_USED_WITH.get(missing, ())))
    return f"needs the package {package}; pip install {packages}."
