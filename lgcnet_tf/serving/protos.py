"""TensorFlow Serving's messages to and from NumPy arrays."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2
from tensorflow_serving.apis import predict_pb2


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
