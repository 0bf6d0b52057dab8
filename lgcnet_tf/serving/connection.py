"""How a client reaches a server: TLS, token, retries, limits of messages."""

import dataclasses
import json
import pathlib

import grpc

from lgcnet_tf.errors import InputError

# What did not reach a server that answers may be asked again, within the deadline.
_RETRIES = {
    "methodConfig": [
        {
            "name": [{}],
            "retryPolicy": {
                "maxAttempts": 5,
                "initialBackoff": "0.1s",
                "maxBackoff": "2s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ]
}


@dataclasses.dataclass(frozen=True)
class Connection:
    """The way to one server.

    Attributes:
        target: host:port.
        ca: PEM file of who signed the server's certificate; plain where empty.
        certificate, key: PEM files that a server of mutual TLS wants to see.
        token: the bearer token that it wants; none where empty.
    """

    target: str
    ca: str = ""
    certificate: str = ""
    key: str = ""
    token: str = ""

    def channel(self, asynchronous: bool = False) -> grpc.Channel | grpc.aio.Channel:
        """Opens a channel; nothing is sent yet.

        Raises:
            InputError: a file cannot be read, or belongs to no other.
        """
        options = (
            ("grpc.max_receive_message_length", -1),
            ("grpc.max_send_message_length", -1),
            # A proxy of the environment is for the web, not for a model
            # server in the same network.
            ("grpc.enable_http_proxy", 0),
            ("grpc.service_config", json.dumps(_RETRIES)),
            ("grpc.per_rpc_retry_buffer_size", 2**26),
        )
        module = grpc.aio if asynchronous else grpc
        if not self.ca:
            if self.certificate or self.key:
                raise InputError("A client's certificate needs the server's --ssl_ca.")
            return module.insecure_channel(self.target, options=options)
        credentials = grpc.ssl_channel_credentials(
            *(_content(path) for path in (self.ca, self.key, self.certificate))
        )
        return module.secure_channel(self.target, credentials, options=options)

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        """What each call says of its sender."""
        return (("authorization", f"Bearer {self.token}"),) if self.token else ()


def _content(path: str) -> bytes | None:
    try:
        return pathlib.Path(path).read_bytes() if path else None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}.") from None
