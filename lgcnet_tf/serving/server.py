"""A server of exported models that speaks TensorFlow Serving's protocols."""

import functools
import logging
import os
import signal
import threading
import time
from collections.abc import Mapping
from typing import Any

from lgcnet_tf.errors import InputError
from lgcnet_tf.serving import event_loop
from lgcnet_tf.serving.addresses import bind_error, check_address, join_address
from lgcnet_tf.serving.batching import BatchingParameters
from lgcnet_tf.serving.core import Core
from lgcnet_tf.serving.grpc_face import GrpcFace
from lgcnet_tf.serving.limits import Limits
from lgcnet_tf.serving.model_config import models_of, read_model_config
from lgcnet_tf.serving.model_versions import ModelVersions
from lgcnet_tf.serving.rest_face import RestFace
from lgcnet_tf.serving.security import Tls
from lgcnet_tf.serving.status import RequestError, invalid, one_line

_LOG = logging.getLogger(__name__)
_STOP_GRACE_S = 5.0
_SIGNAL_POLL_S = 0.2


class Server:
    """Serves models over gRPC and, where a port for it is given, REST.

    Args:
        models: the base path of each model by the name to serve it under.
        host: the address to listen on; "0.0.0.0" for every interface.
        port: the port to listen on; 0 takes a free one, see `port`.
        rest_port: the same for REST; None for none.
        model_config_file: lists the models instead of `models`.
        poll_wait_s: seconds between two looks for new versions and, where there is
            one, for changes of the file; 0 to load once.
        batching: joins requests of several clients, as `serving.batching.
            BatchingParameters` says; None for each by itself.
        as_content: answer numbers as bytes (`tensor_content`) instead of in the
            typed fields that TensorFlow Serving answers with by default.
        tls: certificate and key, a `serving.security.Tls`; None for plain
            connections.
        token: what clients must send as bearer token; none where empty.
        demo: at REST's port, answer with a page for trying the models in a browser.
        limits: what is taken on at most, as `max_images=4`: `max_message_mb`,
            `max_images`, `max_megapixels`, `max_batch`, `max_queue`,
            `max_queue_mb`, `threads` and `receive_timeout_s` mean what the flags
            of `lgcnet-serve` do.

    Raises:
        InputError: no model is given, or a limit that cannot be.

    Example:
        With `path` of `export`; a program that does nothing else calls
        `serve_forever` instead of leaving the block:

        >>> import lgcnet_tf as lt
        >>> with lt.Server({"lgcnet": path.parent}, port=0, max_images=4) as server:
        ...     served = server.versions
        >>> served
        {'lgcnet': 1}
    """

    def __init__(
        self,
        models: Mapping[str, str | os.PathLike] | None = None,
        host: str = "127.0.0.1",
        port: int = 8500,
        rest_port: int | None = None,
        *,
        model_config_file: str = "",
        poll_wait_s: float = 0.0,
        batching: BatchingParameters | None = None,
        as_content: bool = False,
        tls: Tls | None = None,
        token: str = "",
        demo: bool = False,
        **limits: Any,
    ):
        if bool(models) == bool(model_config_file):
            raise InputError(
                "Nothing to serve: give at least one model, or a configuration of "
                "models, and not both."
            )
        self.host = host
        self._models = dict(models or {})
        self._config_file, self._poll_wait_s = model_config_file, poll_wait_s
        self._wanted_ports = port, rest_port
        self._as_content, self._tls, self._token = as_content, tls, token
        self._batching, self._demo = batching, demo
        self._limits = Limits(**limits)
        self._limits.check()
        self._core: Core | None = None
        self._grpc: GrpcFace | None = None
        self._rest: RestFace | None = None
        self._ports = 0, 0
        self._stopping = threading.Event()

    @property
    def port(self) -> int:
        """The port in use, after `start`."""
        return self._ports[0]

    @property
    def rest_port(self) -> int:
        """The port of REST, after `start`."""
        return self._ports[1]

    @property
    def target(self) -> str:
        """host:port for a client on this machine, after `start`."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)
        return join_address(host, self.port)

    @property
    def versions(self) -> dict[str, int]:
        """The newest version of each model that is served, after `start`."""
        models = self._core.models.values() if self._core else ()
        return {model.name: model.versions[-1] for model in models}

    def check(self) -> None:
        """Tries the ports and the certificate, which `start` does first of all.

        Raises:
            InputError: a port is in use, or a file of TLS is not what it should be.
        """
        for port in self._wanted_ports:
            if port is not None:
                check_address(self.host, port)
        if self._tls:
            self._tls.context()

    def start(self) -> "Server":
        """Loads and warms the models, takes the ports, begins to answer.

        Raises:
            InputError: as `check`, or a model cannot be loaded.
        """
        self.check()
        tls = self._tls.context() if self._tls else None
        core = Core(self._limits, self._batching)
        seen = _stamp(self._config_file)  # before it is read: no change is missed
        try:
            # Loaded first: gRPC never gives back the port of a server that was
            # not started.
            core.serve(self._wanted_models(core))
            reload = (
                functools.partial(self._reload, core) if self._config_file else None
            )
            rpc = GrpcFace(core, self._as_content, self._token, reload)
            rest = RestFace(core, self._token, self._demo)
            self._ports = self._listen(rpc, rest, tls)
        except BaseException:
            core.pool.close(0)
            raise
        self._core, self._grpc, self._rest = core, rpc, rest
        self._stopping = threading.Event()
        if self._poll_wait_s > 0:
            arguments = core, seen, self._stopping
            threading.Thread(target=self._poll, args=arguments, daemon=True).start()
        return self

    def stop(self, grace_s: float = _STOP_GRACE_S, lame_duck_s: float = 0.0) -> bool:
        """Answers health checks with NOT_SERVING, then ends what is under way.

        Args:
            grace_s: seconds after which what is still under way is cut off.
            lame_duck_s: seconds for which new requests are still answered, until
                everyone knows.

        Returns:
            Whether nothing computes any more.
        """
        if self._grpc is None:
            return True
        self._stopping.set()
        event_loop.run(self._grpc.announce_stop())
        time.sleep(lame_duck_s)
        end = time.monotonic() + grace_s
        event_loop.run(self._grpc.stop(grace_s))
        event_loop.run(self._rest.stop(max(0.0, end - time.monotonic())))
        self._grpc = self._rest = None
        return self._core.pool.close(max(0.0, end - time.monotonic()))

    def serve_forever(
        self, grace_s: float = _STOP_GRACE_S, lame_duck_s: float = 0.0
    ) -> bool:
        """Serves until SIGTERM or SIGINT, then stops gracefully.

        Starts the server where that has not been done. Must run in the main
        thread, the only one that may set signal handlers.

        Args:
            grace_s, lame_duck_s: as for `stop`.

        Returns:
            As `stop`.
        """
        asked: list[int] = []
        previous = {
            number: signal.signal(number, lambda got, _: asked.append(got))
            for number in (signal.SIGTERM, signal.SIGINT)
        }
        ended = False
        try:
            if self._grpc is None:
                self.start()
            # The system may give the signal to any of gRPC's threads, which
            # does not wake a main thread that waits on a lock.
            while not asked:
                time.sleep(_SIGNAL_POLL_S)
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)
            ended = self.stop(grace_s, lame_duck_s if asked else 0.0)
        return ended

    def __enter__(self) -> "Server":
        return self if self._grpc is not None else self.start()

    def __exit__(self, *_) -> None:
        self.stop()

    def _wanted_models(self, core: Core) -> list[ModelVersions]:
        if self._config_file:
            config = read_model_config(self._config_file)
            return models_of(config, self._limits, core.models)
        return [
            ModelVersions(name, base_path, self._limits)
            for name, base_path in self._models.items()
        ]

    def _listen(self, rpc: GrpcFace, rest: RestFace, tls) -> tuple[int, int]:
        port, rest_port = self._wanted_ports
        taken = 0
        if rest_port is not None:
            try:
                taken = event_loop.run(rest.start(self.host, rest_port, tls))
            except OSError as error:
                raise bind_error(self.host, rest_port, str(error.strerror)) from None
        try:
            credentials = self._tls.credentials() if self._tls else None
            address = join_address(self.host, port)
            return event_loop.run(rpc.start(address, credentials)), taken
        except BaseException as error:
            event_loop.run(rest.stop(0))
            if isinstance(error, RuntimeError):
                raise bind_error(self.host, port, one_line(str(error))) from None
            raise

    def _reload(self, core: Core, config) -> None:
        try:
            core.serve(models_of(config, self._limits, core.models))
        except InputError as error:
            raise invalid(str(error)) from None

    def _poll(self, core: Core, seen: object, stopping: threading.Event) -> None:
        """Looks for new versions, and for another configuration, until the end.

        Args:
            seen: stamp of the configuration file when it was read first.
        """
        said = ""
        while not stopping.wait(self._poll_wait_s):
            now = _stamp(self._config_file)
            try:
                if now != seen:
                    self._reload(core, read_model_config(self._config_file))
                    seen = now
                core.refresh()
                said = ""
            except (InputError, RequestError, OSError) as error:
                if str(error) != said:  # once, not at every look
                    _LOG.warning("%s", said := str(error))


def _stamp(path: str) -> object:
    try:
        found = os.stat(path)
        return found.st_mtime_ns, found.st_size, found.st_ino
    except OSError:
        return None
