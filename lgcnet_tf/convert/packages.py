"""Packages that only some users need, imported when they are."""

import importlib
import types

from lgcnet_tf.errors import InputError

_PIP_NAMES = {
    "ai_edge_litert": "ai-edge-litert",
    "cuda": "cuda-python",
}
EXTRA = "lgcnet_tf[runtimes]"


def import_package(module: str, user: str, extra: str | None = EXTRA) -> types.ModuleType:
    """Imports `module`, a part of an optional package.

    Args:
        user: what needs it, e.g. `runtime openvino`.
        extra: the installation that has it; None where the package stands alone.

    Raises:
        InputError: it is not installed; says how it is.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        missing = (error.name or module).partition(".")[0]
        package = _PIP_NAMES.get(missing, missing)
        raise InputError(
            f"{user}: needs the package {package}; pip install '{extra or package}'."
        ) from None
