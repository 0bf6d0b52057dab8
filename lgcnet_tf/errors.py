"""The exceptions that the binaries know."""

from collections.abc import Iterable


class InputError(ValueError):
    """Bad input: one line that says what is wrong, where, and what is right.

    The binaries print its text alone, without a traceback, and exit with 1.

    Example:
        >>> import lgcnet_tf as lt
        >>> try:
        ...     lt.Skeleton(num_cells=0)
        ... except lt.InputError as error:
        ...     print(error)
        skeleton: num_cells must be a whole number of at least 1. Received: 0
    """


class NoSuchSplit(InputError):
    """The data are there, but not divided into a split of that name."""


class WorkerLost(RuntimeError):
    """Another machine of a distributed run is gone, and the step with it.

    TensorFlow cannot go on in this process: the binaries say so in one line and
    start themselves again, to meet the others at the last checkpoint.
    """


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """` Did you mean 'NAME'?`, or an empty text where no known name is close."""
    import difflib  # only who is mistaken waits for it

    close = difflib.get_close_matches(name, list(known), 1)
    return f" Did you mean {close[0]!r}?" if close else ""
