"""What the fresh process of `peak_memory` does; it imports what it runs, no more."""

import json
import pathlib
import resource
import sys
from typing import Any

from lgcnet_tf.errors import InputError
from lgcnet_tf.runtimes.device.sessions import SESSIONS

RUNS = 3
_STATUS = pathlib.Path("/proc/self/status")
_CLEAR = pathlib.Path("/proc/self/clear_refs")


def run_job(job: dict[str, Any]) -> int:
    """Loads and runs a model; the peak in bytes, without what was imported before.

    Args:
        job: as `peak_memory` writes it.
    """
    load, on_device = _of_device(job) or _of_package(job)
    before = _start()
    run = load()
    for _ in range(RUNS):
        run()
    found = on_device()
    return _peak() - before if found is None else found


def _of_device(job):
    """How what was translated is loaded without TensorFlow, where that can be."""
    if "bytes" not in job or job["runtime"] not in SESSIONS:
        return None
    sessions = SESSIONS[job["runtime"]](job["threads"], job["precision"])
    return lambda: sessions.ready(job["bytes"]), lambda: None


def _of_package(job):
    """How a model is loaded by the package's runtime, and what tells of its device."""
    from lgcnet_tf.evaluation.models import load_model
    from lgcnet_tf.runtimes import get_runtime

    runtime = get_runtime(job["runtime"], job["threads_asked"], job["precision"])

    def load():
        if "bytes" in job:
            return runtime.load(pathlib.Path(job["bytes"]).read_bytes())
        if "file" in job:
            return runtime.load(job["file"], job["batch_size"])
        model = load_model(job["model"], tuple(job["input_size"]))
        return model.compile(runtime, job["batch_size"])

    return load, runtime.peak_device_bytes


def _start():
    """Forgets the peak so far; the bytes in use."""
    try:
        _CLEAR.write_text("5")
        return _status("VmRSS")
    except OSError:  # not Linux
        return _peak()


def _peak():
    if _STATUS.exists():
        return _status("VmHWM")
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _status(name):
    for line in _STATUS.read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise OSError(name)


if __name__ == "__main__":
    try:
        print(json.dumps({"peak_bytes": run_job(json.load(sys.stdin))}))
    except InputError as error:
        sys.exit(str(error))
