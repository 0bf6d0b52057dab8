"""Addresses to listen on, tried before anything is loaded."""

import errno
import socket

from lgcnet_tf.errors import InputError

_NO_SUCH_ADDRESS = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


def join_address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def check_address(host: str, port: int) -> None:
    """Tries every address of a host, as gRPC is content when one is free."""
    if not 0 <= port <= 65535:
        raise bind_error(host, port, "a port is a number from 0 to 65535")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise bind_error(host, port, error.strerror) from None
    for family, kind, protocol, _, where in found:
        try:
            with socket.socket(family, kind, protocol) as probe:
                # As gRPC does, so that a port just left counts as free.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(where)
        except OSError as error:
            # "localhost" may name an IPv6 address on a machine without IPv6.
            if error.errno not in _NO_SUCH_ADDRESS or len(found) == 1:
                raise bind_error(host, port, error.strerror) from None


def bind_error(host: str, port: int, reason: str) -> InputError:
    return InputError(f"Port {port} of {host} cannot be used: {reason}.")
