"""Keeping back what libraries print from C++."""

import contextlib
import os
import warnings
from collections.abc import Iterator


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Turns standard error away while the block runs, and Python's warnings.

    Converters tell of their progress there, past every log level. Exceptions
    are raised as ever.
    """
    saved = os.dup(2)
    with open(os.devnull, "w") as nowhere, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(saved, 2)
            os.close(saved)
