"""A client of the embedded server and of tensorflow_model_server alike."""

import time
from collections.abc import Sequence
from typing import Any

import grpc
import numpy as np
from tensorflow_serving.apis import (
    model_service_pb2_grpc,
    prediction_service_pb2_grpc,
)

from lgcnet_tf.serving.classes import CLASSES_SIGNATURE, ServedClasses, read_classes
from lgcnet_tf.serving.connection import Connection
from lgcnet_tf.serving.conversation import (
    NOT_YET,
    Conversation,
    ServerError,
    has_sizes,
    read_masks,
    read_metadata,
    read_outputs,
    read_status,
)
from lgcnet_tf.serving.signatures import MASK_OUTPUT

_POLL_S = 0.1


class Client:
    """Asks one model of one server.

    Args:
        target: host:port of the server.
        model_name: the name the model is served under.
        timeout_s: seconds after which a call is given up; until then it is sent
            again where the server is unavailable.
        version: the version to ask; the newest one where None.
        security: for a server with TLS the file of who signed its certificate,
            `ca`, and where it wants to see one, `certificate` and `key`; `token`
            for one that wants a bearer token.

    Every call raises `ServerError`, one line with the target, the gRPC status
    and the server's message, when the server refuses or cannot be reached.

    `lgcnet_tf.serving.async_client.AsyncClient` has the same calls for asyncio.

    Example:
        With `path` and `picture` of `export`:

        >>> import lgcnet_tf as lt
        >>> server = lt.Server({"lgcnet": path.parent}, port=0).start()
        >>> with lt.Client(server.target, "lgcnet") as client:
        ...     version = client.wait_until_ready()
        ...     known = client.classes()
        ...     mask = client.predict(picture[None])
        >>> version, len(known.info.class_names), mask.shape
        (1, 8, (1, 32, 64))
        >>> server.stop()
        True
    """

    def __init__(
        self,
        target: str,
        model_name: str,
        timeout_s: float = 30.0,
        version: int | None = None,
        **security: str,
    ):
        connection = Connection(target, **security)
        self.target, self.model_name = target, model_name
        self.timeout_s = timeout_s
        self._asking = Conversation(target, model_name, version)
        self._signatures: dict[str, Any] | None = None
        self._sender = connection.metadata
        self._channel = connection.channel()
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
        answer = self._call(self._prediction.Predict, self._asking.images(images))
        return read_outputs(answer)[MASK_OUTPUT]

    def predict_encoded(self, encoded: Sequence[bytes]) -> list[np.ndarray]:
        """Segments PNG or JPEG files of any size.

        Args:
            encoded: the bytes of each file.

        Returns:
            uint8 classes (height, width) of each, of the picture's own size. Of
            a model exported before there was a fit, of the network's size.
        """
        request = self._asking.encoded(encoded, self.gives_own_sizes())
        return read_masks(self._call(self._prediction.Predict, request))

    def gives_own_sizes(self) -> bool:
        """Whether masks of `predict_encoded` have the pictures' own sizes."""
        return has_sizes(self._known_signatures())

    def classes(self) -> ServedClasses | None:
        """What the model says of itself; None of one exported before it did."""
        if CLASSES_SIGNATURE not in self._known_signatures():
            return None
        answer = self._call(self._prediction.Predict, self._asking.classes())
        return read_classes(read_outputs(answer))

    def metadata(self) -> dict[str, Any]:
        """Returns the model's name, version and signatures: see `read_metadata`."""
        request = self._asking.metadata()
        return read_metadata(self._call(self._prediction.GetModelMetadata, request))

    def wait_until_ready(self, timeout_s: float = 60.0) -> int:
        """Waits until the server has loaded the model.

        Returns:
            The version that is ready.

        Raises:
            InputError: not within `timeout_s`, or the server knows no such
                model.
        """
        deadline = time.monotonic() + timeout_s
        state = "no answer"
        while (left := deadline - time.monotonic()) > 0:
            try:
                response = self._call(
                    self._model.GetModelStatus,
                    self._asking.status(),
                    min(left, self.timeout_s),
                )
            except ServerError as error:
                if error.code not in NOT_YET:
                    raise
                state = str(error).removeprefix(f"{self.target}: ")
            else:
                version, state = read_status(response)
                if version is not None:
                    return version
            time.sleep(min(_POLL_S, max(left, 0.0)))
        raise self._asking.not_ready(timeout_s, state)

    def close(self) -> None:
        """Closes the connection."""
        self._channel.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def _known_signatures(self) -> dict[str, Any]:
        if self._signatures is None:
            self._signatures = self.metadata()["signatures"]
        return self._signatures

    def _call(self, method, request, timeout_s: float | None = None):
        try:
            return method(
                request, timeout=timeout_s or self.timeout_s, metadata=self._sender
            )
        except grpc.RpcError as error:
            raise self._asking.error(error) from None
