"""TensorFlow Serving's messages to and from NumPy arrays."""

import math
from collections.abc import Sequence

import grpc
import numpy as np
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2
from tensorflow_serving.apis import predict_pb2

# gRPC stops at 4 MiB by default: one Full HD picture of uint8 has 6.2 MB.
DEFAULT_MAX_MESSAGE_MB = 256

# A status travels in an HTTP/2 header, which may hold 8 KiB.
_MAX_STATUS_CHARACTERS = 500


class RequestError(Exception):
    """A request that cannot be answered, with its gRPC status.

    Attributes:
        code: the `grpc.StatusCode` to answer with.
        message: one line for the caller.
    """

    def __init__(self, code: grpc.StatusCode, message: str):
        super().__init__(message)
        self.code = code
        self.message = one_line(message)


def one_line(message: str) -> str:
    """Joins the lines of a message and keeps its first 500 characters."""
    return " ".join(message.split())[:_MAX_STATUS_CHARACTERS]


def tensor_proto(values: np.ndarray | Sequence[bytes]) -> tensor_pb2.TensorProto:
    """Packs an array, or a list of byte strings as a string tensor."""
    if isinstance(values, np.ndarray) and values.dtype != object:
        return tf.make_tensor_proto(values)
    return tf.make_tensor_proto(list(values), dtype=tf.string, shape=[len(values)])


def predict_request(
    signature_name: str,
    inputs: dict[str, np.ndarray | Sequence[bytes]],
    model_name: str = "",
    version: int | None = None,
    outputs: Sequence[str] = (),
) -> predict_pb2.PredictRequest:
    """Builds a request.

    Args:
        signature_name: which signature of the model to run.
        inputs: arrays, or lists of bytes, by input name.
        model_name: the served model's name.
        version: the model's version; the newest one where None.
        outputs: the outputs to send back; all of them where empty.
    """
    request = predict_pb2.PredictRequest()
    request.model_spec.name = model_name
    request.model_spec.signature_name = signature_name
    if version is not None:
        request.model_spec.version.value = version
    for name, values in inputs.items():
        request.inputs[name].CopyFrom(tensor_proto(values))
    request.output_filter.extend(outputs)
    return request


def input_array(
    name: str,
    proto: tensor_pb2.TensorProto,
    spec: tf.TensorSpec,
    max_bytes: int,
) -> np.ndarray:
    """Unpacks a request's tensor, checked against its signature first.

    The check comes first because a few bytes can claim a shape of gigabytes.

    Raises:
        RequestError: INVALID_ARGUMENT, with what was expected and received.
    """
    expected = f"{spec.dtype.name} {_shape_text(spec.shape.as_list())}"
    try:
        dtype = tf.dtypes.as_dtype(proto.dtype)
    except TypeError:
        raise _invalid(f"{name!r}: unknown dtype {proto.dtype}.") from None
    shape = [dim.size for dim in proto.tensor_shape.dim]
    rankless = proto.tensor_shape.unknown_rank or any(n < 0 for n in shape)
    received = f"{dtype.name} {'of unknown shape' if rankless else _shape_text(shape)}"
    if dtype != spec.dtype or rankless or not spec.shape.is_compatible_with(shape):
        raise _invalid(f"{name!r} must be {expected}. Received: {received}.")
    if 0 in shape:
        raise _invalid(f"{name!r} holds nothing. Received: {received}.")
    if math.prod(shape) * dtype.size > max_bytes:
        raise _invalid(
            f"{name!r} is larger than {max_bytes} bytes. Received: {received}."
        )
    try:
        array = tf.make_ndarray(proto)
    except (ValueError, TypeError, IndexError) as error:
        raise _invalid(f"{name!r} is no {received}: {error}") from None
    return array.reshape(shape)


def _shape_text(shape: Sequence[int | None]) -> str:
    return f"({', '.join('batch' if n is None else str(n) for n in shape)})"


def _invalid(message: str) -> RequestError:
    return RequestError(grpc.StatusCode.INVALID_ARGUMENT, message)
