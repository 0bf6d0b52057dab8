"""A small model server that speaks TensorFlow Serving's gRPC services."""

import errno
import functools
import logging
import os
import signal
import socket
import time
from collections.abc import Callable, Mapping
from concurrent import futures

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_pb2,
    model_service_pb2_grpc,
    prediction_service_pb2_grpc,
)

from lgcnet_tf.errors import InputError
from lgcnet_tf.serving.protos import (
    DEFAULT_MAX_MESSAGE_MB,
    RequestError,
    one_line,
)
from lgcnet_tf.serving.servable import Servable

_LOG = logging.getLogger(__name__)
_PREDICTION_SERVICE = "tensorflow.serving.PredictionService"
_MODEL_SERVICE = "tensorflow.serving.ModelService"
_STOP_GRACE_S = 5.0
_SIGNAL_POLL_S = 0.2
_NO_SUCH_ADDRESS = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


class Server:
    """Serves the newest version of each model over gRPC.

    Args:
        models: the base path of each model by the name to serve it under.
        host: the address to listen on; "0.0.0.0" for every interface.
        port: the port to listen on; 0 takes a free one, see `port`.
        max_message_mb: largest request and response, in MiB.
        max_workers: requests answered at the same time.

    Raises:
        InputError: no model is given.

    Example:
        with Server({"lgcnet": "runs/export/saved_model"}, port=8500) as server:
            server.serve_forever()
    """

    def __init__(
        self,
        models: Mapping[str, str | os.PathLike],
        host: str = "127.0.0.1",
        port: int = 8500,
        max_message_mb: int = DEFAULT_MAX_MESSAGE_MB,
        max_workers: int = 4,
    ):
        if not models:
            raise InputError("Nothing to serve: give at least one model.")
        self.host = host
        self._models = dict(models)
        self._wanted_port = port
        self._max_message_bytes = max_message_mb * 2**20
        self._max_workers = max_workers
        self._servables: dict[str, Servable] = {}
        self._server: grpc.Server | None = None
        self._health: health.HealthServicer | None = None
        self._port = 0

    @property
    def port(self) -> int:
        """The port in use, after `start`."""
        return self._port

    @property
    def target(self) -> str:
        """host:port for a client on this machine, after `start`."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)
        return _address(host, self._port)

    @property
    def versions(self) -> dict[str, int]:
        """The version of each model that is served, after `start`."""
        return {name: one.version for name, one in self._servables.items()}

    def start(self) -> "Server":
        """Loads and warms the models, takes the port, begins to answer.

        Raises:
            InputError: the port is in use, or a model cannot be loaded.
        """
        _check_address(self.host, self._wanted_port)
        # Loaded first: gRPC never gives back the port of a server that was
        # not started.
        self._servables = {
            name: Servable(name, base_path, self._max_message_bytes)
            for name, base_path in self._models.items()
        }
        server = grpc.server(
            futures.ThreadPoolExecutor(self._max_workers),
            options=(
                # Two servers would silently share one port otherwise.
                ("grpc.so_reuseport", 0),
                ("grpc.max_receive_message_length", self._max_message_bytes),
                ("grpc.max_send_message_length", self._max_message_bytes),
            ),
        )
        # Watch streams live long: they must not hold a prediction's thread.
        self._health = health.HealthServicer(
            experimental_non_blocking=True,
            experimental_thread_pool=futures.ThreadPoolExecutor(1),
        )
        for service in ("", _PREDICTION_SERVICE, _MODEL_SERVICE):
            self._health.set(service, health_pb2.HealthCheckResponse.SERVING)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
            _PredictionService(self._servables), server
        )
        model_service_pb2_grpc.add_ModelServiceServicer_to_server(
            _ModelService(self._servables), server
        )
        try:
            self._port = server.add_insecure_port(
                _address(self.host, self._wanted_port)
            )
        except RuntimeError as error:
            raise _bind_error(
                self.host, self._wanted_port, one_line(str(error))
            ) from None
        server.start()
        self._server = server
        return self

    def stop(self, grace_s: float = _STOP_GRACE_S) -> None:
        """Refuses new requests and lets those under way end.

        Args:
            grace_s: seconds after which those still under way are cut off.
        """
        if self._server is not None:
            self._health.enter_graceful_shutdown()
            self._server.stop(grace_s).wait()
            self._server = None

    def serve_forever(self) -> None:
        """Serves until SIGTERM or SIGINT, then stops gracefully.

        Starts the server where that has not been done. Must run in the main
        thread, the only one that may set signal handlers.
        """
        asked: list[int] = []
        previous = {
            number: signal.signal(number, lambda got, _: asked.append(got))
            for number in (signal.SIGTERM, signal.SIGINT)
        }
        try:
            if self._server is None:
                self.start()
            # The system may give the signal to any of gRPC's threads, which
            # does not wake a main thread that waits on a lock.
            while not asked:
                time.sleep(_SIGNAL_POLL_S)
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)
            self.stop()

    def __enter__(self) -> "Server":
        return self if self._server is not None else self.start()

    def __exit__(self, *_) -> None:
        self.stop()


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _check_address(host: str, port: int) -> None:
    """Tries every address of a host, as gRPC is content when one is free."""
    if not 0 <= port <= 65535:
        raise _bind_error(host, port, "a port is a number from 0 to 65535")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise _bind_error(host, port, error.strerror) from None
    for family, kind, protocol, _, where in found:
        try:
            with socket.socket(family, kind, protocol) as probe:
                # As gRPC does, so that a port just left counts as free.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(where)
        except OSError as error:
            # "localhost" may name an IPv6 address on a machine without IPv6.
            if error.errno not in _NO_SUCH_ADDRESS or len(found) == 1:
                raise _bind_error(host, port, error.strerror) from None


def _bind_error(host: str, port: int, reason: str) -> InputError:
    return InputError(f"Port {port} of {host} cannot be used: {reason}.")


def _answering(method: Callable) -> Callable:
    """Turns what a method raises into a gRPC status; the server goes on."""

    @functools.wraps(method)
    def answer(self, request, context):
        try:
            return method(self, request, context)
        except RequestError as error:
            code, details = error.code, error.message
        except Exception as error:
            _LOG.exception("%s failed", method.__name__)
            code, details = grpc.StatusCode.INTERNAL, one_line(repr(error))
        context.abort(code, details)

    return answer


def _find(servables: Mapping[str, Servable], spec: model_pb2.ModelSpec) -> Servable:
    servable = servables.get(spec.name)
    if servable is None:
        raise RequestError(
            grpc.StatusCode.NOT_FOUND,
            f"No model {spec.name!r} here; there are {sorted(servables)}.",
        )
    # This server knows no labels; TensorFlow Serving answers an unknown one so.
    if spec.version_label:
        raise RequestError(
            grpc.StatusCode.INVALID_ARGUMENT,
            f"Unrecognized servable version label: {spec.version_label}",
        )
    if spec.HasField("version") and spec.version.value != servable.version:
        raise RequestError(
            grpc.StatusCode.NOT_FOUND,
            f"No version {spec.version.value} of {spec.name!r} is served; "
            f"version {servable.version} is.",
        )
    return servable


def _unimplemented(self, request, context):
    context.abort(
        grpc.StatusCode.UNIMPLEMENTED,
        "The embedded server answers Predict, GetModelMetadata, GetModelStatus "
        "and health checks.",
    )


class _PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    """tensorflow.serving.PredictionService."""

    Classify = _unimplemented
    Regress = _unimplemented
    MultiInference = _unimplemented

    def __init__(self, servables: Mapping[str, Servable]):
        self._servables = servables

    @_answering
    def Predict(self, request, context):
        return _find(self._servables, request.model_spec).predict(request)

    @_answering
    def GetModelMetadata(self, request, context):
        servable = _find(self._servables, request.model_spec)
        if list(request.metadata_field) != ["signature_def"]:
            raise RequestError(
                grpc.StatusCode.INVALID_ARGUMENT,
                "metadata_field must be 'signature_def'. "
                f"Received: {list(request.metadata_field)}.",
            )
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        response.model_spec.name = servable.name
        response.model_spec.version.value = servable.version
        signature_map = get_model_metadata_pb2.SignatureDefMap()
        for name, signature in servable.signature_defs.items():
            signature_map.signature_def[name].CopyFrom(signature)
        response.metadata["signature_def"].Pack(signature_map)
        return response


class _ModelService(model_service_pb2_grpc.ModelServiceServicer):
    """tensorflow.serving.ModelService."""

    HandleReloadConfigRequest = _unimplemented

    def __init__(self, servables: Mapping[str, Servable]):
        self._servables = servables

    @_answering
    def GetModelStatus(self, request, context):
        servable = _find(self._servables, request.model_spec)
        response = get_model_status_pb2.GetModelStatusResponse()
        response.model_version_status.add(
            version=servable.version,
            state=get_model_status_pb2.ModelVersionStatus.AVAILABLE,
        )
        return response
