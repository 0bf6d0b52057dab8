"""Serving an exported model."""

import contextlib
import dataclasses
import os
import pathlib
import sys
import tempfile
from collections.abc import Iterator

from lgcnet_tf.commands.defaults import ZOO
from lgcnet_tf.config import option
from lgcnet_tf.interruption import Interrupted, Interruption
from lgcnet_tf.run_folder import GENOTYPE
from lgcnet_tf.serving.limits import Limits
from lgcnet_tf.serving.security import Tls, exposure, read_token
from lgcnet_tf.serving.settings import DEMO_REST_PORT, MODEL_NAME

DEMO_MODEL = "lgcnet_camvid"


@dataclasses.dataclass(frozen=True, kw_only=True)
class ServeOptions(Limits):
    """Options of the embedded server; it writes nothing."""

    TOPIC = "Server"

    model: str = option(
        "",
        f"Folder of the exported versions, or a name of the model zoo; with --demo by "
        f"default {DEMO_MODEL}.",
    )
    name: str = option(MODEL_NAME, "Name under which the model is served.")
    model_config_file: str = option(
        "", "Text proto of the models to serve, as TensorFlow Serving's, instead of "
        "--model."
    )  # fmt: skip
    file_system_poll_wait_seconds: float = option(
        1.0, "Seconds between two looks for new versions and for changes of "
        "--model_config_file; 0 to load once.", minimum=0
    )  # fmt: skip
    batching_parameters_file: str = option(
        "", "Text proto as TensorFlow Serving's, to run requests of several clients as "
        "one batch."
    )  # fmt: skip
    host: str = option("127.0.0.1", "Address to listen on.")
    port: int = option(8500, "Port of gRPC.")
    rest_api_port: int = option(0, "Port of REST and the metrics; 0 for none.")
    demo: bool = option(
        False, "A page for trying the models in a browser, at REST's port; "
        f"{DEMO_REST_PORT} where none is named."
    )  # fmt: skip
    enable_serialization_as_tensor_content: bool = option(
        False, "Answer numbers as bytes instead of in typed fields."
    )
    ssl_certificate: str = option("", "PEM file of the certificate, for TLS.")
    ssl_key: str = option("", "PEM file of its key.")
    ssl_client_ca: str = option(
        "", "PEM file of who signs the certificates that clients must then show."
    )
    token_file: str = option(
        "", "File of the bearer token that clients must then send; health checks of "
        "gRPC need none."
    )  # fmt: skip
    lame_duck_s: float = option(
        0.0, "Seconds after SIGTERM for which requests are still answered, while health "
        "checks say NOT_SERVING.", minimum=0
    )  # fmt: skip
    grace_s: float = option(
        5.0, "Seconds that what is under way then has to end.", minimum=0
    )

    def problems(self) -> Iterator[str]:
        yield from super().problems()
        if self.model and self.model_config_file:
            yield "--model or --model_config_file serves, not both; leave out one."
        elif not (self.model or self.model_config_file or self.demo):
            yield (
                "--model is missing: the saved_model folder of an export or a name of "
                "the model zoo; or --model_config_file, or --demo alone."
            )
        if bool(self.ssl_certificate) != bool(self.ssl_key) or (
            self.ssl_client_ca and not self.ssl_key
        ):
            yield "TLS needs --ssl_certificate and --ssl_key; --ssl_client_ca is for both."


def serve(options: ServeOptions) -> None:
    """Serves until SIGTERM or SIGINT.

    A signal before it serves ends it, too: with one line, and what was exported for
    this server alone is removed.

    Raises:
        InputError: no model there, or a port is in use.
    """
    options.check()
    stop = Interruption()
    try:
        with stop.installed(), stop.raising(), contextlib.ExitStack() as end:
            _serve(options, end)
    except Interrupted:
        print("lgcnet-serve: stopped.", file=sys.stderr, flush=True)
        sys.stdout.flush()
        os._exit(stop.status)  # what still computes is given up


def _zoo_name(options: ServeOptions) -> str:
    """The name of the zoo that is served; empty where it is a folder or several."""
    name = options.model
    if not name and not options.model_config_file:
        name = DEMO_MODEL
    known = not pathlib.Path(name).exists() and (ZOO / name / GENOTYPE).is_file()
    return name if name and known else ""


def _export(name: str, folder: str) -> None:
    """Exports a network of the zoo."""
    from lgcnet_tf.model.deploy import deploy
    from lgcnet_tf.model.zoo import load_network
    from lgcnet_tf.serving import own_process
    from lgcnet_tf.serving.export import export_saved_model

    own_process.prepare()
    print(f"Exporting {name} of the model zoo ...", file=sys.stderr, flush=True)
    network = load_network(name)
    export_saved_model(
        deploy(network),
        folder,
        network.genotype.classes,
        metadata={"model": name, "params": network.count_params()},
    )


def _serve(options: ServeOptions, end: contextlib.ExitStack) -> None:
    from lgcnet_tf.serving import own_process
    from lgcnet_tf.serving.batching import read_batching_parameters
    from lgcnet_tf.serving.server import Server

    tls = None
    if options.ssl_key:
        tls = Tls(options.ssl_certificate, options.ssl_key, options.ssl_client_ca)
    token = read_token(options.token_file) if options.token_file else ""
    batching = None
    if options.batching_parameters_file:
        batching = read_batching_parameters(options.batching_parameters_file)
    folder = options.model
    if name := _zoo_name(options):
        made = tempfile.TemporaryDirectory(prefix="lgcnet_serve_")
        folder = end.enter_context(made)
    server = Server(
        {options.name: folder} if folder else None,
        options.host,
        options.port,
        options.rest_api_port or (DEMO_REST_PORT if options.demo else None),
        model_config_file=options.model_config_file,
        poll_wait_s=options.file_system_poll_wait_seconds,
        batching=batching,
        as_content=options.enable_serialization_as_tensor_content,
        tls=tls,
        token=token,
        demo=options.demo,
        **{one.name: getattr(options, one.name) for one in dataclasses.fields(Limits)},
    )
    server.check()
    if name:
        _export(name, folder)
    if warning := exposure(options.host, tls, token):
        print(f"lgcnet-serve: {warning}", file=sys.stderr, flush=True)
    own_process.prepare()
    server.start()
    served = ", ".join(f"{name} version {v}" for name, v in server.versions.items())
    print(
        f"Serving {served} on {server.target}; SIGTERM or Ctrl-C ends it.", flush=True
    )
    if options.demo:
        scheme = "https" if tls else "http"
        address = server.target.rpartition(":")[0]
        print(f"The page: {scheme}://{address}:{server.rest_port}/", flush=True)
    if not server.serve_forever(options.grace_s, options.lame_duck_s):
        # What still computes is given up; ending in order would wait for it.
        sys.stdout.flush()
        end.close()
        os._exit(0)
