"""TLS of both faces, and what is said where there is none."""

import dataclasses
import ipaddress
import pathlib
import ssl
import typing

from lgcnet_tf.errors import InputError

if typing.TYPE_CHECKING:
    import grpc


@dataclasses.dataclass(frozen=True)
class Tls:
    """Files in PEM: certificate and key; `client_ca` where clients must show one."""

    certificate: str
    key: str
    client_ca: str = ""

    def context(self) -> ssl.SSLContext:
        """For the REST face.

        Raises:
            InputError: a file is absent or not what it should be.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            context.load_cert_chain(self.certificate, self.key)
            if self.client_ca:
                context.load_verify_locations(self.client_ca)
                context.verify_mode = ssl.CERT_REQUIRED
        except (OSError, ssl.SSLError) as error:
            files = ", ".join(filter(None, dataclasses.astuple(self)))
            raise InputError(
                f"{files}: no PEM certificate with its key: {error}; give both as PEM files."
            ) from None
        return context

    def credentials(self) -> "grpc.ServerCredentials":
        """For the gRPC face.

        Raises:
            InputError: as `context`.
        """
        import grpc  # not with the options

        self.context()
        key, certificate = (
            pathlib.Path(path).read_bytes() for path in (self.key, self.certificate)
        )
        authority = (
            pathlib.Path(self.client_ca).read_bytes() if self.client_ca else None
        )
        return grpc.ssl_server_credentials(
            [(key, certificate)], authority, bool(self.client_ca)
        )


def read_token(path: str) -> str:
    """The bearer token that a file holds.

    Raises:
        InputError: it cannot be read, or holds no single word of ASCII.
    """
    try:
        token = pathlib.Path(path).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {error}.") from None
    if not token.isascii() or len(token.split()) != 1:
        raise InputError(f"{path}: a token must be one word of ASCII.")
    return token


def exposure(host: str, tls: Tls | None, token: str) -> str:
    """One line where anyone may ask who reaches this machine; else empty."""
    try:
        inside = ipaddress.ip_address(host).is_loopback
    except ValueError:
        inside = host == "localhost"
    if inside or token or (tls and tls.client_ca):
        return ""
    kind = "with neither a token nor client certificates" if tls else "without TLS"
    return (
        f"{host} is open to the network {kind}: anyone who reaches it can ask "
        "(--ssl_certificate, --ssl_key, --ssl_client_ca, --token_file)."
    )
