"""The memory that a model takes, in a process that runs nothing else."""

import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
from typing import Any

from lgcnet_tf.errors import InputError
from lgcnet_tf.evaluation.models import Prepared, load_model
from lgcnet_tf.runtimes import get_runtime
from lgcnet_tf.runtimes.base import Runtime

RUNS = 3
_TIMEOUT_S = 600
_STATUS = pathlib.Path("/proc/self/status")
_CLEAR = pathlib.Path("/proc/self/clear_refs")


def peak_memory(
    prepared: Prepared, model: str, input_size, batch_size: int
) -> int | None:
    """Most bytes that loading a model and running it adds to a fresh process.

    The process has imported the runtime before. On a GPU it is the GPU's
    memory, where the runtime tells. What a runtime translates into bytes is
    translated here and loaded there, so that converters do not count; other
    models are loaded there by name.

    Args:
        prepared: the model, for the runtime that shall run it.
        model, input_size, batch_size: of the model, by which it is loaded again.

    Returns:
        None where the process failed.
    """
    runtime, content = prepared.runtime, prepared.content
    job = {
        "runtime": runtime.name,
        "threads": runtime.threads_asked,
        "precision": runtime.precision,
        "model": model,
        "input_size": list(input_size),
        "batch_size": batch_size,
    }
    with tempfile.TemporaryDirectory() as folder:
        if isinstance(content, bytes):
            job["bytes"] = os.path.join(folder, "model")
            pathlib.Path(job["bytes"]).write_bytes(content)
        elif isinstance(content, str):
            job["file"] = content
        try:
            done = subprocess.run(
                [sys.executable, "-m", __name__],
                input=json.dumps(job),
                capture_output=True,
                text=True,
                timeout=_TIMEOUT_S,
            )
            return json.loads(done.stdout.splitlines()[-1])["peak_bytes"]
        except (subprocess.TimeoutExpired, ValueError, IndexError):
            return None


def run_job(job: dict[str, Any]) -> int:
    """What the fresh process does: loads, runs, returns the peak in bytes."""
    runtime = get_runtime(job["runtime"], job["threads"], job["precision"])
    before = _start()
    compiled = _load(job, runtime)
    for _ in range(RUNS):
        compiled()
    on_device = runtime.peak_device_bytes()
    return _peak() - before if on_device is None else on_device


def _load(job, runtime: Runtime):
    if "bytes" in job:
        return runtime.load(pathlib.Path(job["bytes"]).read_bytes())
    if "file" in job:
        return runtime.load(job["file"], job["batch_size"])
    model = load_model(job["model"], tuple(job["input_size"]))
    return model.compile(runtime, job["batch_size"])


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
