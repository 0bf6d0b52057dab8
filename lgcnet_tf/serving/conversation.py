"""What a client asks about one model, and how the answers are read."""

from collections.abc import Sequence
from typing import Any

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    predict_pb2,
)

from lgcnet_tf.errors import InputError
from lgcnet_tf.serving import protos, signatures
from lgcnet_tf.serving.backend import BadPicture
from lgcnet_tf.serving.classes import CLASSES_SIGNATURE, QUERY_INPUT
from lgcnet_tf.serving.status import Code, one_line

NOT_YET = (Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED)
"""A server that is still loading its models may answer with these."""


class ServerError(InputError):
    """The server refused, or could not be reached.

    Attributes:
        code: of its answer.
    """

    def __init__(self, message: str, code: Code):
        super().__init__(message)
        self.code = code


class RefusedPicture(ServerError, BadPicture):
    """The server cannot take what it was sent; another picture may do."""


class Conversation:
    """The requests about one model of one server; sends nothing.

    Args:
        target: the server's address, for errors.
        model_name: the name the model is served under.
        version: the version to ask; the newest one where None.
    """

    def __init__(self, target: str, model_name: str, version: int | None = None):
        self.target, self.model_name, self.version = target, model_name, version

    def images(self, images: np.ndarray) -> predict_pb2.PredictRequest:
        """Asks for the masks of uint8 RGB (batch, height, width, 3)."""
        return self._predict(
            signatures.IMAGES_SIGNATURE,
            {signatures.IMAGES_INPUT: np.asarray(images)},
            [signatures.MASK_OUTPUT],
        )

    def encoded(
        self, encoded: Sequence[bytes], with_sizes: bool
    ) -> predict_pb2.PredictRequest:
        """Asks for the masks of PNG or JPEG files, and their sizes."""
        outputs = [signatures.MASK_OUTPUT, signatures.SIZE_OUTPUT]
        return self._predict(
            signatures.ENCODED_SIGNATURE,
            {signatures.ENCODED_INPUT: encoded},
            outputs if with_sizes else outputs[:1],
        )

    def classes(self) -> predict_pb2.PredictRequest:
        """Asks what the model says of itself."""
        return self._predict(
            CLASSES_SIGNATURE, {QUERY_INPUT: np.zeros(1, np.int32)}, ()
        )

    def metadata(self) -> get_model_metadata_pb2.GetModelMetadataRequest:
        """Asks for the signatures."""
        request = get_model_metadata_pb2.GetModelMetadataRequest()
        self._name_model(request.model_spec)
        request.metadata_field.append("signature_def")
        return request

    def status(self) -> get_model_status_pb2.GetModelStatusRequest:
        """Asks for the states of the versions."""
        request = get_model_status_pb2.GetModelStatusRequest()
        self._name_model(request.model_spec)
        return request

    def error(self, error: grpc.RpcError) -> ServerError:
        """One line with the target, the status and the server's message."""
        code = Code[error.code().name]
        text = one_line(f"{self.target}: {code.name}: {error.details()}")
        if code is Code.UNAVAILABLE:
            port = self.target.rpartition(":")[2]
            text = (
                f"{text.rstrip('.')}. Is a server running at {self.target}? Start one with "
                f"lgcnet-serve --model=FOLDER --port={port}, or wait for it with --wait_s; "
                "one with TLS needs --ssl_ca."
            )
        elif code is Code.DEADLINE_EXCEEDED:
            text = f"{text.rstrip('.')}. A larger --timeout_s waits longer."
        kind = RefusedPicture if code is Code.INVALID_ARGUMENT else ServerError
        return kind(text, code)

    def not_ready(self, timeout_s: float, state: str) -> InputError:
        """The error of waiting in vain."""
        return InputError(
            one_line(
                f"{self.target}: model {self.model_name!r} is not ready after "
                f"{timeout_s:g} s: {state}"
            )
        )

    def _name_model(self, spec) -> None:
        spec.name = self.model_name
        if self.version is not None:
            spec.version.value = self.version

    def _predict(self, signature_name, inputs, outputs):
        return protos.predict_request(
            signature_name, inputs, self.model_name, self.version, outputs
        )


def read_outputs(response: predict_pb2.PredictResponse) -> dict[str, np.ndarray]:
    """The arrays of an answer by name."""
    return {name: tf.make_ndarray(one) for name, one in response.outputs.items()}


def read_masks(response: predict_pb2.PredictResponse) -> list[np.ndarray]:
    """uint8 classes (height, width) of each picture, cut to its own size."""
    answer = read_outputs(response)
    masks = answer[signatures.MASK_OUTPUT]
    sizes = answer.get(signatures.SIZE_OUTPUT, [masks.shape[1:]] * len(masks))
    return [mask[:height, :width] for mask, (height, width) in zip(masks, sizes)]


def read_metadata(
    response: get_model_metadata_pb2.GetModelMetadataResponse,
) -> dict[str, Any]:
    """The model's "name", "version" and "signatures".

    Each signature has "inputs" and "outputs": by name, a dict of "dtype" and
    "shape", with None for a dimension that is free.
    """
    signature_map = get_model_metadata_pb2.SignatureDefMap()
    response.metadata["signature_def"].Unpack(signature_map)
    return {
        "name": response.model_spec.name,
        "version": response.model_spec.version.value,
        "signatures": {
            name: {
                "inputs": _tensors(signature.inputs),
                "outputs": _tensors(signature.outputs),
            }
            for name, signature in signature_map.signature_def.items()
            if not name.startswith("__")
        },
    }


def read_status(
    response: get_model_status_pb2.GetModelStatusResponse,
) -> tuple[int | None, str]:
    """The newest version that is ready, if any, and the last state seen."""
    ready, state = None, "no version"
    for one in response.model_version_status:
        if one.state == get_model_status_pb2.ModelVersionStatus.AVAILABLE:
            ready = max(one.version, ready or 0)
        state = get_model_status_pb2.ModelVersionStatus.State.Name(one.state)
    return ready, state


def has_sizes(known: dict[str, Any]) -> bool:
    """Whether the signature of files gives masks of the pictures' own sizes."""
    encoded = known.get(signatures.ENCODED_SIGNATURE, {})
    return signatures.SIZE_OUTPUT in encoded.get("outputs", ())


def _tensors(infos) -> dict[str, dict[str, Any]]:
    return {
        name: {
            "dtype": tf.dtypes.as_dtype(info.dtype).name,
            "shape": [
                None if dim.size < 0 else dim.size for dim in info.tensor_shape.dim
            ],
        }
        for name, info in infos.items()
    }
