"""Trials whose stages are a quick program in place of the real commands."""

import json
import pathlib
import sys

import pytest

PROGRAM = """
import json, os, pathlib, signal, sys, time

stage = sys.argv[1]
flags = dict(a.removeprefix("--").partition("=")[::2] for a in sys.argv[2:])
folder = pathlib.Path(flags["output_dir"])
folder.mkdir(parents=True, exist_ok=True)
(folder / "flags.txt").write_text("--dataset=camvid\\n--data_dir=\\n")
with open(folder / "calls.jsonl", "a") as file:
    environment = {k: v for k, v in os.environ.items() if k.startswith(("TF_", "CUDA"))}
    print(json.dumps({"flags": sys.argv[2:], "environment": environment}), file=file)
mode = flags.get("communication")
if stage == "search" and mode in ("fail", "shared"):
    sys.exit("a first line\\nwhat went wrong")
if stage == "search" and mode in ("wait", "deaf"):
    def leave(*_):
        (folder / "saved").write_text("")
        sys.exit(0)
    signal.signal(signal.SIGTERM, leave if mode == "wait" else signal.SIG_IGN)
    (folder / "pid").write_text(str(os.getpid()))
    time.sleep(60)
results = {
    "miou": 0.375, "params": 1000, "macs": 2000,
    "predicted_latency_ms": 3.0, "latency_ms": 4.0, "latency_spread_ms": 0.5,
}
(folder / "results.json").write_text(json.dumps(results))
"""


@pytest.fixture
def quick_stages(tmp_path, monkeypatch):
    """Has stages run `PROGRAM`."""
    from lgcnet_tf.sweep import trial

    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    monkeypatch.setattr(
        trial,
        "stage_command",
        lambda stage: [sys.executable, "-S", str(program), stage],
    )


@pytest.fixture
def make_trial(tmp_path, quick_stages):
    """A trial by its mode of communication and seed."""
    from lgcnet_tf.sweep.trial import Trial

    def make(mode="none", seed=0, **changes):
        fields = {
            "name": f"{mode}-{seed}",
            "setting": {"communication": mode, "finetune.lr": "0.5"},
            "seed": seed,
            "folder": f"trials/{mode}-{seed}",
            "flagfiles": {"search": "s.txt", "finetune": "f.txt"},
            "working_dir": str(tmp_path),
        }
        return Trial(**fields | changes)

    return make


@pytest.fixture
def calls():
    """What a stage of a trial was called with, a dict for each call."""

    def read(trial, stage):
        path = pathlib.Path(trial / stage, "calls.jsonl")
        lines = path.read_text().splitlines() if path.exists() else []
        return [json.loads(line) for line in lines]

    return read
