"""What the processor has, and what that means to TensorFlow."""

import os
import pathlib
import sys
from collections.abc import MutableMapping

ONEDNN = "TF_ENABLE_ONEDNN_OPTS"


def has_avx512(cpuinfo: str | os.PathLike = "/proc/cpuinfo") -> bool | None:
    """Whether an x86 processor has AVX-512; None of others, or where it is not known.

    Args:
        cpuinfo: the file in which Linux lists the processors.
    """
    try:
        lines = pathlib.Path(cpuinfo).read_text().splitlines()
    except OSError:
        return None
    flags = next((line for line in lines if line.startswith("flags")), None)
    return None if flags is None else "avx512f" in flags.split()


def use_onednn(
    environment: MutableMapping[str, str] = os.environ,
    cpuinfo: str | os.PathLike = "/proc/cpuinfo",
) -> None:
    """Has TensorFlow use oneDNN on x86 processors without AVX-512 too.

    It leaves oneDNN off there; with it a step on crops of 240x320 takes 0.77 of the
    time, on small ones up to 1.2 (`benchmarks/README.md`). Tables, searches, trainings
    and exports all come through here, so that a table holds for what it predicts. What
    the user has set stays as it is. It has to be called before TensorFlow is imported,
    and does nothing later.
    """
    if ONEDNN in environment or "tensorflow" in sys.modules:
        return
    if has_avx512(cpuinfo) is False:
        environment[ONEDNN] = "1"
