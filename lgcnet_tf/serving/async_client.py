"""The client for asyncio: as `client.Client`, its calls awaited."""

import asyncio
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


class AsyncClient:
    """Asks one model of one server; make it where an event loop runs.

    Arguments, results and errors are those of `client.Client`.

    Example:
        async with AsyncClient("127.0.0.1:8500", "lgcnet") as client:
            masks = await asyncio.gather(*map(client.predict, batches))
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
        self._channel = connection.channel(asynchronous=True)
        self._prediction = prediction_service_pb2_grpc.PredictionServiceStub(
            self._channel
        )
        self._model = model_service_pb2_grpc.ModelServiceStub(self._channel)

    async def predict(self, images: np.ndarray) -> np.ndarray:
        """As `Client.predict`."""
        request = self._asking.images(images)
        answer = await self._call(self._prediction.Predict, request)
        return read_outputs(answer)[MASK_OUTPUT]

    async def predict_encoded(self, encoded: Sequence[bytes]) -> list[np.ndarray]:
        """As `Client.predict_encoded`."""
        request = self._asking.encoded(encoded, await self.gives_own_sizes())
        return read_masks(await self._call(self._prediction.Predict, request))

    async def gives_own_sizes(self) -> bool:
        """As `Client.gives_own_sizes`."""
        return has_sizes(await self._known_signatures())

    async def classes(self) -> ServedClasses | None:
        """As `Client.classes`."""
        if CLASSES_SIGNATURE not in await self._known_signatures():
            return None
        answer = await self._call(self._prediction.Predict, self._asking.classes())
        return read_classes(read_outputs(answer))

    async def metadata(self) -> dict[str, Any]:
        """As `Client.metadata`."""
        request = self._asking.metadata()
        answer = await self._call(self._prediction.GetModelMetadata, request)
        return read_metadata(answer)

    async def wait_until_ready(self, timeout_s: float = 60.0) -> int:
        """As `Client.wait_until_ready`."""
        deadline = time.monotonic() + timeout_s
        state = "no answer"
        while (left := deadline - time.monotonic()) > 0:
            try:
                response = await self._call(
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
            await asyncio.sleep(min(_POLL_S, max(left, 0.0)))
        raise self._asking.not_ready(timeout_s, state)

    async def close(self) -> None:
        """Closes the connection."""
        await self._channel.close()

    async def __aenter__(self) -> "AsyncClient":
        return self

    async def __aexit__(self, *_) -> None:
        await self.close()

    async def _known_signatures(self) -> dict[str, Any]:
        if self._signatures is None:
            self._signatures = (await self.metadata())["signatures"]
        return self._signatures

    async def _call(self, method, request, timeout_s: float | None = None):
        try:
            return await method(
                request,
                timeout=timeout_s or self.timeout_s,
                metadata=self._sender or None,
            )
        except grpc.RpcError as error:
            raise self._asking.error(error) from None
