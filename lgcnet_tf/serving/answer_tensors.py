"""A Predict answer in protobuf's wire format, straight from the arrays.

Building the messages first would hold four bytes a pixel and take a step of Python
for each. Field numbers are those of `predict.proto` and `tensor.proto`.
"""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2, tensor_shape_pb2
from tensorflow_serving.apis import predict_pb2

_OUTPUTS = predict_pb2.PredictResponse.OUTPUTS_FIELD_NUMBER
_CONTENT = tensor_pb2.TensorProto.TENSOR_CONTENT_FIELD_NUMBER
_INTS = tensor_pb2.TensorProto.INT_VAL_FIELD_NUMBER
_FLOATS = tensor_pb2.TensorProto.FLOAT_VAL_FIELD_NUMBER
_PIECE = 2**20


def response_bytes(
    name: str,
    version: int,
    signature_name: str,
    outputs: Mapping[str, np.ndarray],
    as_content: bool = False,
) -> bytes:
    """Serialises a `PredictResponse`.

    Args:
        name, version, signature_name: what answered.
        outputs: arrays by output name; objects are byte strings.
        as_content: numbers as bytes (`tensor_content`) instead of in the typed
            fields that TensorFlow Serving answers with by default.
    """
    response = predict_pb2.PredictResponse()
    response.model_spec.name = name
    response.model_spec.version.value = version
    response.model_spec.signature_name = signature_name
    parts = [response.SerializeToString()]
    for output, array in outputs.items():
        tensor = tensor_bytes(array, as_content)
        entry = _field(1, output.encode()) + _field(2, tensor)
        parts.append(_field(_OUTPUTS, entry))
    return b"".join(parts)


def tensor_bytes(array: np.ndarray, as_content: bool = False) -> bytes:
    """Serialises a `TensorProto`; arguments as for `response_bytes`."""
    if array.dtype == object:
        return tf.make_tensor_proto(array, tf.string, array.shape).SerializeToString()
    header = tensor_pb2.TensorProto(
        dtype=tf.dtypes.as_dtype(array.dtype).as_datatype_enum,
        tensor_shape=tensor_shape_pb2.TensorShapeProto(
            dim=[tensor_shape_pb2.TensorShapeProto.Dim(size=n) for n in array.shape]
        ),
    )
    if as_content or array.dtype not in (np.uint8, np.int32, np.float32):
        header.tensor_content = array.tobytes()
        return header.SerializeToString()
    if array.dtype == np.int32:
        header.int_val.extend(array.ravel().tolist())
        return header.SerializeToString()
    if array.dtype == np.float32:
        number, values = _FLOATS, array.astype("<f4", copy=False).tobytes()
    else:
        number, values = _INTS, _varints(array.ravel())
    return header.SerializeToString() + _field(number, values)


def _varints(values: np.ndarray) -> bytes:
    """uint8 as base-128 varints: the byte itself below 128, else it and a 1."""
    pieces = (values[i : i + _PIECE] for i in range(0, values.size, _PIECE))
    return b"".join(map(_varints_of_piece, pieces))


def _varints_of_piece(values):
    large = values >= 128
    if not large.any():
        return values.tobytes()
    places = np.arange(values.size) + np.cumsum(large) - large
    written = np.ones(values.size + np.count_nonzero(large), np.uint8)
    written[places] = values
    return written.tobytes()


def _field(number: int, content: bytes) -> bytes:
    """A length-delimited field."""
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    written = bytearray()
    while value >= 128:
        written.append(value & 127 | 128)
        value >>= 7
    return bytes((*written, value))
