"""The tensors of a request, by the rules of TensorFlow's C++ and within limits.

A `TensorProto` has its values as bytes or in a typed field. Of a typed field C++
ignores what is too much, repeats the last value where some are missing, takes zeros
where there is none, and wraps integers to their type (`Tensor::FromProto` in
`tensorflow/core/framework/tensor.cc`). A few bytes can so claim gigabytes: whatever
a tensor would grow to is known, and refused, before it grows.
"""

import math
from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2

from lgcnet_tf.serving.limits import Limits
from lgcnet_tf.serving.status import invalid

_FIELDS = {
    **dict.fromkeys(
        (tf.uint8, tf.int8, tf.uint16, tf.int16, tf.int32), ("int_val", np.int32)
    ),
    tf.float32: ("float_val", np.float32),
    tf.float64: ("double_val", np.float64),
    tf.int64: ("int64_val", np.int64),
    tf.uint32: ("uint32_val", np.uint32),
    tf.uint64: ("uint64_val", np.uint64),
    tf.bool: ("bool_val", np.bool_),
    tf.string: ("string_val", object),
}
# So many values are taken at a time, as no other thread runs meanwhile.
_PIECE = 2**16


def input_array(
    name: str, proto: tensor_pb2.TensorProto, spec: tf.TensorSpec, limits: Limits
) -> np.ndarray:
    """Unpacks a request's tensor, checked against its signature first.

    Args:
        name: the input's, for errors.
        proto: the tensor.
        spec: dtype and shape that the signature takes.
        limits: of the server.

    Returns:
        The values, of the shape that the request declares; bytes objects for
        strings.

    Raises:
        RequestError: INVALID_ARGUMENT, with what was expected and received.
    """
    expected = f"{spec.dtype.name} {_shape_text(spec.shape.as_list())}"
    try:
        dtype = tf.dtypes.as_dtype(proto.dtype)
    except TypeError:
        raise invalid(f"{name!r}: unknown dtype {proto.dtype}.") from None
    shape = [dim.size for dim in proto.tensor_shape.dim[:255]]
    rankless = proto.tensor_shape.unknown_rank or any(n < 0 for n in shape)
    received = f"{dtype.name} {'of unknown shape' if rankless else _shape_text(shape)}"
    if dtype != spec.dtype or rankless or not spec.shape.is_compatible_with(shape):
        raise invalid(f"{name!r} must be {expected}. Received: {received}.")
    if shape and shape[0] > limits.max_images:
        raise invalid(
            f"{name!r} has a batch of more than {limits.max_images} "
            f"(--max_images). Received: {received}."
        )
    if math.prod(shape) * max(dtype.size, 1) > limits.max_message_bytes:
        raise invalid(
            f"{name!r} is larger than {limits.max_message_bytes} bytes "
            f"(--max_message_mb). Received: {received}."
        )
    return _values(name, proto, dtype, math.prod(shape), received).reshape(shape)


def _values(name, proto, dtype, count, received) -> np.ndarray:
    if dtype not in _FIELDS or (dtype == tf.string and proto.tensor_content):
        raise invalid(f"{name!r}: {received} cannot be sent so.")
    if proto.tensor_content:
        if len(proto.tensor_content) != count * dtype.size:
            raise invalid(
                f"{name!r} is no {received}: it has {len(proto.tensor_content)} "
                f"bytes, not {count * dtype.size}."
            )
        return np.frombuffer(proto.tensor_content, dtype.as_numpy_dtype)
    field, kind = _FIELDS[dtype]
    given = getattr(proto, field)
    found = min(len(given), count)
    values = np.empty(count, kind)
    for first in range(0, found, _PIECE):
        last = min(first + _PIECE, found)
        values[first:last] = given[first:last]
    values[found:] = values[found - 1] if found else (b"" if kind is object else 0)
    return values if kind is object else values.astype(dtype.as_numpy_dtype, copy=False)


def _shape_text(shape: Sequence[int | None]) -> str:
    return f"({', '.join('batch' if n is None else str(n) for n in shape)})"
