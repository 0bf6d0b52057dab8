"""The memory that a model takes, in a process that runs nothing else."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

from lgcnet_tf.evaluation import memory_job
from lgcnet_tf.evaluation.models import Prepared

_TIMEOUT_S = 600


def peak_memory(
    prepared: Prepared, model: str, input_size, batch_size: int
) -> int | None:
    """Most bytes that loading a model and running it adds to a fresh process.

    The process has imported the runtime before, and TensorFlow where that needs it. On
    a GPU it is the GPU's memory, where the runtime tells. What a runtime translates into
    bytes is translated here and loaded there, so that converters do not count; other
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
        "threads": runtime.threads,
        "threads_asked": runtime.threads_asked,
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
                [sys.executable, "-m", memory_job.__name__],
                input=json.dumps(job),
                capture_output=True,
                text=True,
                timeout=_TIMEOUT_S,
            )
            return json.loads(done.stdout.splitlines()[-1])["peak_bytes"]
        except (subprocess.TimeoutExpired, ValueError, IndexError):
            return None
