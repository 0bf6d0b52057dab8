"""Serving an exported model."""

import dataclasses

from lgcnet_tf.config import Options, option
from lgcnet_tf.errors import InputError
from lgcnet_tf.serving.settings import MODEL_NAME


@dataclasses.dataclass(frozen=True, kw_only=True)
class ServeOptions(Options):
    """Options of the embedded server; it writes nothing."""

    TOPIC = "Server"

    model: str = option(
        "",
        "Folder of the exported versions.",
        needed="the saved_model folder of an export.",
    )
    name: str = option(MODEL_NAME, "Name under which the model is served.")
    host: str = option("127.0.0.1", "Address to listen on.")
    port: int = option(8500, "Port to listen on.")
    max_message_mb: int = option(256, "Largest request and answer, in MiB.", minimum=1)


def serve(options: ServeOptions) -> None:
    """Serves until SIGTERM or SIGINT.

    Raises:
        InputError: no model there, or the port is in use.
    """
    from lgcnet_tf.serving.server import Server

    options.check()
    if not options.model:
        raise InputError("--model is missing: the saved_model folder of an export.")
    server = Server(
        {options.name: options.model},
        options.host,
        options.port,
        options.max_message_mb,
    )
    server.start()
    print(
        f"Serving {options.name} version {server.versions[options.name]} on "
        f"{server.target}; SIGTERM or Ctrl-C ends it.",
        flush=True,
    )
    server.serve_forever()
