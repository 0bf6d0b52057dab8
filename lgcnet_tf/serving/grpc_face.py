"""TensorFlow Serving's gRPC services over a `Core`.

Each method takes its message itself, as a stream of one: so a call whose message
does not come is cut in time, and none takes more memory than it may.
"""

import asyncio
import hmac
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    predict_pb2,
    regression_pb2,
)

from lgcnet_tf.serving.answer_tensors import response_bytes
from lgcnet_tf.serving.core import Core, parse
from lgcnet_tf.serving.pool import Job
from lgcnet_tf.serving.receiving import Receivers
from lgcnet_tf.serving.status import Code, RequestError, exhausted, invalid, one_line

_LOG = logging.getLogger(__name__)
_PREDICTION_SERVICE = "tensorflow.serving.PredictionService"
_MODEL_SERVICE = "tensorflow.serving.ModelService"
_HEALTH_SERVICE = "grpc.health.v1.Health"
# TensorFlow Serving's health knows the short names.
_HEALTHY = (
    "", "PredictionService", "ModelService", _PREDICTION_SERVICE, _MODEL_SERVICE
)  # fmt: skip
_RECEIVE_AT_ONCE = 8
_SMALL_RECEIVE_AT_ONCE = 256
_STREAMS_OF_A_CONNECTION = 128
_IDLE_MS = 300_000
_HANDSHAKE_MS = 10_000

Method = Callable[[bytes, Any], Awaitable[Any]]


class GrpcFace:
    """The services of one server; use it in the thread of `event_loop`.

    Args:
        core: answers.
        as_content: answer numbers as bytes instead of in typed fields.
        token: what a client must send as bearer token; none where empty. Health
            checks need none.
        reload: applies a `ModelServerConfig`; None where models are fixed.
    """

    def __init__(
        self,
        core: Core,
        as_content: bool = False,
        token: str = "",
        reload: Callable[[Any], None] | None = None,
    ):
        self._core, self._as_content, self._reload = core, as_content, reload
        self._token = token
        timeout_s = core.limits.receive_timeout_s
        self._large = Receivers(_RECEIVE_AT_ONCE, timeout_s)
        self._small = Receivers(_SMALL_RECEIVE_AT_ONCE, timeout_s)
        self._health = health.aio.HealthServicer()
        self._server: grpc.aio.Server | None = None

    async def start(
        self, address: str, credentials: grpc.ServerCredentials | None = None
    ) -> int:
        """Takes a port and begins to answer; returns the port.

        Raises:
            RuntimeError: the port cannot be had.
        """
        limit = self._core.limits.max_message_bytes
        server = grpc.aio.server(
            options=(
                # Two servers would silently share one port otherwise.
                ("grpc.so_reuseport", 0),
                ("grpc.max_receive_message_length", limit),
                ("grpc.max_send_message_length", -1),  # checked before it is sent
                ("grpc.max_concurrent_streams", _STREAMS_OF_A_CONNECTION),
                # Else megabytes of each message come before anyone reads it.
                ("grpc.http2.bdp_probe", 0),
                ("grpc.max_connection_idle_ms", _IDLE_MS),
                ("grpc.server_handshake_timeout_ms", _HANDSHAKE_MS),
                # Identity alone: a megabyte of gzip may become a gigabyte.
                ("grpc.compression_enabled_algorithms_bitset", 1),
            )
        )
        predict = self._method("Predict", self._predict, self._large)
        server.add_generic_rpc_handlers(
            (
                _handlers(
                    _PREDICTION_SERVICE,
                    Predict=predict,
                    Classify=self._quick("Classify", self._classify),
                    Regress=self._quick("Regress", self._regress),
                    MultiInference=self._quick("MultiInference", self._infer),
                    GetModelMetadata=self._quick("GetModelMetadata", self._metadata),
                ),
                _handlers(
                    _MODEL_SERVICE,
                    GetModelStatus=self._quick("GetModelStatus", self._status),
                    HandleReloadConfigRequest=self._quick(
                        "HandleReloadConfigRequest", self._handle_reload
                    ),
                ),
                _handlers(
                    _HEALTH_SERVICE,
                    Check=self._quick("Check", self._check),
                    Watch=grpc.unary_stream_rpc_method_handler(
                        self._health.Watch,
                        health_pb2.HealthCheckRequest.FromString,
                        health_pb2.HealthCheckResponse.SerializeToString,
                    ),
                ),
            )
        )
        if credentials is None:
            port = server.add_insecure_port(address)
        else:
            port = server.add_secure_port(address, credentials)
        for service in _HEALTHY:
            await self._health.set(service, health_pb2.HealthCheckResponse.SERVING)
        await server.start()
        self._server = server
        return port

    async def announce_stop(self) -> None:
        """Answers health checks with NOT_SERVING from now on."""
        await self._health.enter_graceful_shutdown()

    async def stop(self, grace_s: float) -> None:
        """Refuses new calls, lets those under way end within `grace_s`."""
        if self._server is not None:
            await self._server.stop(grace_s)
            self._server = None

    def _quick(self, name: str, method: Method) -> grpc.RpcMethodHandler:
        return self._method(name, method, self._small)

    def _method(
        self, name: str, method: Method, receivers: Receivers
    ) -> grpc.RpcMethodHandler:
        async def outcome(context) -> Any:
            """The answer, or status and details of a refusal."""
            try:
                if name != "Check":
                    self._check_token(context)
                if receivers is self._large:
                    self._core.pool.check()
                # The iterator of requests would keep the message until it is
                # collected.
                body = await receivers.receive(context.read)
                if body is grpc.aio.EOF:
                    raise invalid("The call has no message.")
                with self._core.metrics.counting("grpc", name):
                    return await method(body, context)
            except RequestError as error:
                return error.code, error.message
            except asyncio.CancelledError:
                raise
            except Exception as error:
                _LOG.exception("%s failed", name)
                return Code.INTERNAL, one_line(repr(error))

        async def answer(requests, context):
            found = await outcome(context)
            if not isinstance(found, tuple):
                return found
            # `abort` would raise, and what that leaves behind keeps the message alive.
            code, details = found
            context.set_code(grpc.StatusCode[code.name])
            context.set_details(details)
            return b""

        return grpc.stream_unary_rpc_method_handler(answer)

    def _check_token(self, context) -> None:
        given = dict(context.invocation_metadata() or ()).get("authorization", "")
        given = given if isinstance(given, bytes) else given.encode()
        wanted = f"Bearer {self._token}".encode()
        if self._token and not hmac.compare_digest(given, wanted):
            raise RequestError(
                Code.UNAUTHENTICATED, "A bearer token is needed (authorization)."
            )

    async def _predict(self, body: bytes, context) -> bytes:
        def work(job: Job) -> bytes:
            request = parse(predict_pb2.PredictRequest, body)
            servable, signature_name, outputs = self._core.predict(request, job)
            limit = self._core.limits.max_message_bytes
            # A quick look first: no typed field takes less than a byte a value.
            if sum(one.size for one in outputs.values()) <= limit:
                answer = response_bytes(
                    servable.name,
                    servable.version,
                    signature_name,
                    outputs,
                    self._as_content,
                )
                if len(answer) <= limit:
                    return answer
            raise exhausted(
                f"The answer is larger than {limit} bytes (--max_message_mb); ask for "
                "fewer outputs with output_filter, or for fewer images."
            )

        return await self._core.submit(len(body), work).result()

    async def _metadata(self, body: bytes, context) -> bytes:
        kind = get_model_metadata_pb2.GetModelMetadataRequest
        return self._core.metadata(parse(kind, body)).SerializeToString()

    async def _status(self, body: bytes, context) -> bytes:
        kind = get_model_status_pb2.GetModelStatusRequest
        return self._core.status(parse(kind, body)).SerializeToString()

    async def _classify(self, body: bytes, context) -> None:
        request = parse(classification_pb2.ClassificationRequest, body)
        self._core.classify(request, "classification")

    async def _regress(self, body: bytes, context) -> None:
        request = parse(regression_pb2.RegressionRequest, body)
        self._core.classify(request, "regression")

    async def _infer(self, body: bytes, context) -> None:
        request = parse(inference_pb2.MultiInferenceRequest, body)
        if not request.tasks:
            raise invalid("Inference request must have at least one task.")
        for task in request.tasks:
            regress = task.method_name.endswith("regress")
            self._core.classify(task, "regression" if regress else "classification")

    async def _handle_reload(self, body: bytes, context) -> bytes:
        request = parse(model_management_pb2.ReloadConfigRequest, body)
        if self._reload is None:
            raise RequestError(
                Code.FAILED_PRECONDITION,
                "This server's models are fixed; start it with --model_config_file.",
            )
        await asyncio.to_thread(self._reload, request.config)
        response = model_management_pb2.ReloadConfigResponse()
        response.status.error_code = 0
        return response.SerializeToString()

    async def _check(self, body: bytes, context) -> bytes:
        request = parse(health_pb2.HealthCheckRequest, body)
        answer = await self._health.Check(request, context)
        return answer.SerializeToString()


def _handlers(service: str, **methods: grpc.RpcMethodHandler) -> grpc.GenericRpcHandler:
    return grpc.method_handlers_generic_handler(service, methods)
