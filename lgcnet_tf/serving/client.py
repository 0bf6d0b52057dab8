"""A client of the embedded server and of tensorflow_model_server alike."""

import time
from collections.abc import Sequence
from typing import Any

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from lgcnet_tf.errors import InputError
from lgcnet_tf.serving import protos, signatures
from lgcnet_tf.serving.classes import (
    CLASSES_SIGNATURE,
    QUERY_INPUT,
    ServedClasses,
    read_classes,
)
from lgcnet_tf.serving.status import one_line

# A server that is still loading its models may answer with these.
_NOT_YET = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)


class ServerError(InputError):
    """The server refused, or could not be reached.

    Attributes:
        code: the `grpc.StatusCode` of its answer.
    """

    def __init__(self, message: str, code: grpc.StatusCode):
        super().__init__(message)
        self.code = code


class Client:
    """Asks one model of one server.

    Args:
        target: host:port of the server.
        model_name: the name the model is served under.
        timeout_s: seconds after which a call is given up.
        version: the version to ask; the newest one where None.

    Every call raises `ServerError`, one line with the target, the gRPC status
    and the server's message, when the server refuses or cannot be reached.

    Example:
        with Client("127.0.0.1:8500", "lgcnet") as client:
            mask = client.predict(images)
    """

    def __init__(
        self,
        target: str,
        model_name: str,
        timeout_s: float = 30.0,
        version: int | None = None,
    ):
        self.target = target
        self.model_name = model_name
        self.timeout_s = timeout_s
        self.version = version
        self._signatures: dict[str, Any] | None = None
        self._channel = grpc.insecure_channel(
            target,
            options=(
                ("grpc.max_receive_message_length", -1),
                ("grpc.max_send_message_length", -1),
                # A proxy of the environment is for the web, not for a model
                # server in the same network.
                ("grpc.enable_http_proxy", 0),
            ),
        )
        self._prediction = prediction_service_pb2_grpc.PredictionServiceStub(
            self._channel
        )
        self._model = model_service_pb2_grpc.ModelServiceStub(self._channel)

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Segments images that have the network's size.

        Args:
            images: uint8 RGB (batch, height, width, 3).

        Returns:
            uint8 classes (batch, height, width).
        """
        return self._predict(
            signatures.IMAGES_SIGNATURE,
            {signatures.IMAGES_INPUT: np.asarray(images)},
            [signatures.MASK_OUTPUT],
        )[signatures.MASK_OUTPUT]

    def predict_encoded(self, encoded: Sequence[bytes]) -> list[np.ndarray]:
        """Segments PNG or JPEG files of any size.

        Args:
            encoded: the bytes of each file.

        Returns:
            uint8 classes (height, width) of each, of the picture's own size. Of
            a model exported before there was a fit, of the network's size.
        """
        inputs = {signatures.ENCODED_INPUT: encoded}
        outputs = [signatures.MASK_OUTPUT]
        if self.gives_own_sizes():
            outputs.append(signatures.SIZE_OUTPUT)
        answer = self._predict(signatures.ENCODED_SIGNATURE, inputs, outputs)
        masks = answer[signatures.MASK_OUTPUT]
        sizes = answer.get(signatures.SIZE_OUTPUT, [masks.shape[1:]] * len(masks))
        return [mask[:height, :width] for mask, (height, width) in zip(masks, sizes)]

    def gives_own_sizes(self) -> bool:
        """Whether masks of `predict_encoded` have the pictures' own sizes."""
        known = self._known_signatures().get(signatures.ENCODED_SIGNATURE, {})
        return signatures.SIZE_OUTPUT in known.get("outputs", ())

    def classes(self) -> ServedClasses | None:
        """What the model says of itself; None of one exported before it did."""
        if CLASSES_SIGNATURE not in self._known_signatures():
            return None
        query = {QUERY_INPUT: np.zeros(1, np.int32)}
        return read_classes(self._predict(CLASSES_SIGNATURE, query, ()))

    def metadata(self) -> dict[str, Any]:
        """Returns the model's name, version and signatures.

        Under "signatures", each has "inputs" and "outputs": by name, a dict of
        "dtype" and "shape", with None for a dimension that is free.
        """
        request = get_model_metadata_pb2.GetModelMetadataRequest()
        self._name_model(request.model_spec)
        request.metadata_field.append("signature_def")
        response = self._call(self._prediction.GetModelMetadata, request)
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

    def wait_until_ready(self, timeout_s: float = 60.0) -> int:
        """Waits until the server has loaded the model.

        Returns:
            The version that is ready.

        Raises:
            InputError: not within `timeout_s`, or the server knows no such
                model.
        """
        deadline = time.monotonic() + timeout_s
        request = get_model_status_pb2.GetModelStatusRequest()
        self._name_model(request.model_spec)
        state = "no answer"
        while (left := deadline - time.monotonic()) > 0:
            try:
                response = self._model.GetModelStatus(
                    request, timeout=min(left, self.timeout_s)
                )
            except grpc.RpcError as error:
                if error.code() not in _NOT_YET:
                    raise self._error(error) from None
                state = f"{error.code().name}: {error.details()}"
            else:
                status = get_model_status_pb2.ModelVersionStatus
                for one in response.model_version_status:
                    if one.state == status.AVAILABLE:
                        return one.version
                    state = status.State.Name(one.state)
            time.sleep(min(0.1, max(left, 0.0)))
        raise InputError(
            one_line(
                f"{self.target}: model {self.model_name!r} is not ready after "
                f"{timeout_s:g} s: {state}"
            )
        )

    def close(self) -> None:
        """Closes the connection."""
        self._channel.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def _name_model(self, spec) -> None:
        spec.name = self.model_name
        if self.version is not None:
            spec.version.value = self.version

    def _known_signatures(self) -> dict[str, Any]:
        if self._signatures is None:
            self._signatures = self.metadata()["signatures"]
        return self._signatures

    def _predict(
        self, signature_name: str, inputs: dict[str, Any], outputs: Sequence[str]
    ) -> dict[str, np.ndarray]:
        request = protos.predict_request(
            signature_name, inputs, self.model_name, self.version, outputs
        )
        response: predict_pb2.PredictResponse = self._call(
            self._prediction.Predict, request
        )
        return {name: tf.make_ndarray(one) for name, one in response.outputs.items()}

    def _call(self, method, request):
        try:
            return method(request, timeout=self.timeout_s)
        except grpc.RpcError as error:
            raise self._error(error) from None

    def _error(self, error: grpc.RpcError) -> ServerError:
        text = f"{self.target}: {error.code().name}: {error.details()}"
        return ServerError(one_line(text), error.code())


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
