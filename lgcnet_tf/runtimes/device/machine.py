"""The processor in words; the file also goes to devices without this package."""

import os
import pathlib
import platform

_BOARD = "/proc/device-tree/model"


def available_cpus() -> int:
    """CPUs this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cpu_description(cpuinfo: str = "/proc/cpuinfo", board: str = _BOARD) -> str:
    """Model and number of the CPUs, e.g. `Intel Xeon, 2 CPUs`.

    Args:
        cpuinfo: the file in which Linux lists the processors; those of ARM boards have
            no name there.
        board: the file in which it names such a board.
    """
    model = platform.processor() or platform.machine()
    if names := _lines(cpuinfo, "model name"):
        model = names[0].partition(":")[2].strip()
    elif names := _lines(board):
        model = names[0].rstrip("\0").strip()
    return f"{model}, {available_cpus()} CPUs"


def _lines(path, start=""):
    try:
        lines = pathlib.Path(path).read_text(errors="replace").splitlines()
    except OSError:
        return []
    return [line for line in lines if line.startswith(start)]
