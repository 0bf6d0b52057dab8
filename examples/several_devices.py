"""GPUs and several machines: one training on all of them.

    python examples/several_devices.py --workers=2

trains with two processes of this machine as if they were two machines; without a GPU
each takes the CPU. A step on N devices is the step of one with the same global batch, so
that only speed changes.
"""

# %% GPUs of one machine
# Nothing needs to be said: a search or a training takes all visible GPUs, or those that
# `--devices=GPU:0,GPU:1` names. `--mixed_precision` computes in bfloat16. The batch size
# is that of all devices together.

import argparse
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--workers", type=int, default=2)
parser.add_argument("--model", required=True, help="genotype.json of a search")
parser.add_argument("--input_size", default="96x160")
parser.add_argument("--epochs", type=int, default=3)
parser.add_argument("--output_dir", help="seen by all machines; else temporary")
asked = parser.parse_args()
output = pathlib.Path(asked.output_dir or tempfile.mkdtemp()) / "finetune"

# %% The same command on every machine
# `TF_CONFIG` lists the workers and says which one this is. On a cluster Kubernetes or
# Ray set it (`cluster/`); here the workers are ports of this machine.


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


workers = [f"127.0.0.1:{free_port()}" for _ in range(asked.workers)]
command = [
    sys.executable, "-m", "lgcnet_tf", "finetune", "--dataset=toy_streets",
    f"--model={asked.model}", f"--input_size={asked.input_size}",
    f"--crop_size={asked.input_size}", f"--epochs={asked.epochs}", "--batch_size=64",
    "--validation_split=", f"--output_dir={output}",
]  # fmt: skip
started = []
for index in range(asked.workers):
    task = {"type": "worker", "index": index}
    config = json.dumps({"cluster": {"worker": workers}, "task": task})
    started.append(subprocess.Popen(command, env=os.environ | {"TF_CONFIG": config}))

# %% One result
# Worker 0 writes history, checkpoints and results. When a worker is lost the others wait
# for it: give it the same command again, and all go on from the last checkpoint.

statuses = [process.wait() for process in started]
if any(statuses):
    sys.exit("a worker failed; its message stands above")
history = json.loads((output / "history.json").read_text())
print(f"loss {history[-1]['loss']:.3f} after {len(history)} epochs")
