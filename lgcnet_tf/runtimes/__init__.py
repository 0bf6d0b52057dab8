"""What runs a network on a device: one module for each, chosen by name.

Nothing heavy is imported with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lgcnet_tf.convert.packages import import_package
from lgcnet_tf.runtimes.settings import ALL_RUNTIMES, RuntimeSpec

if TYPE_CHECKING:
    import numpy as np

    from lgcnet_tf.runtimes.base import Runtime


def get_runtime(
    name: str,
    threads: int | None = None,
    precision: str = "float32",
    images: Sequence[np.ndarray] = (),
) -> Runtime:
    """Makes the runtime `name`.

    Args:
        name: one of `ALL_RUNTIMES`.
        threads: CPU threads it may use; None leaves that to the runtime.
        precision: number format in which it computes.
        images: uint8 (height, width, 3), for `int8`; random ones where empty.
            `representative.RepresentativeImages` say also how they are used.

    Raises:
        InputError: there is no such runtime, it cannot run here, or not with
            these threads or in this precision.
    """
    make = ALL_RUNTIMES.find(name)
    if isinstance(make, RuntimeSpec):
        module = import_package(f"{__name__}.{name}", f"runtime {name}")
        make = getattr(module, make.class_name)
    return make(threads, precision, images)
