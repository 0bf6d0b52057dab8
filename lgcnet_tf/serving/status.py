"""The canonical status codes of answers, whatever the transport."""

import enum

# TensorFlow Serving cuts its messages there too; an HTTP/2 header may hold 8 KiB.
_MAX_CHARACTERS = 1024


class Code(enum.IntEnum):
    """Numbers and names as in gRPC and in TensorFlow."""

    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


class RequestError(Exception):
    """A request that cannot be answered.

    Attributes:
        code: what kind of refusal it is.
        message: one line for the caller.
    """

    def __init__(self, code: Code, message: str):
        super().__init__(message)
        self.code = code
        self.message = one_line(message)


def invalid(message: str) -> RequestError:
    """The error for a request that is wrong in itself."""
    return RequestError(Code.INVALID_ARGUMENT, message)


def exhausted(message: str) -> RequestError:
    """The error for a request that asks for more than there is."""
    return RequestError(Code.RESOURCE_EXHAUSTED, message)


def one_line(message: str) -> str:
    """Joins the lines of a message and keeps its first 1024 bytes of UTF-8."""
    text = " ".join(message[: 4 * _MAX_CHARACTERS].split())
    return text.encode(errors="replace")[:_MAX_CHARACTERS].decode(errors="ignore")
