"""A table whose measuring is stopped and goes on."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

BIN = pathlib.Path(sys.executable).parent
FLAGS = (
    "--input_size=32x64",
    "--num_cells=1",
    "--reduction_cells=",
    "--initial_channels=2",
    "--fusion=none",
    "--cell_operations=none,skip_connect,conv_3x3",
    "--repeats=60",
    "--warmup=1",
    "--calibration_networks=8",
)


def start(folder):
    command = [sys.executable, "-m", "lgcnet_tf.bin.measure_latency", *FLAGS]
    return subprocess.Popen(
        [*command, f"--output_dir={folder}"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def rounds(path):
    if not path.exists():
        return 0
    return min(map(len, json.loads(path.read_text())["operations"].values()), default=0)


@pytest.mark.skipif(
    os.environ.get("KERAS_BACKEND", "tensorflow") != "tensorflow",
    reason="needs Keras on TensorFlow",
)
def test_interrupted_and_gone_on(tmp_path):
    folder = tmp_path / "run"
    kept = folder / "samples.json"
    for number, status in ((signal.SIGKILL, -signal.SIGKILL), (signal.SIGTERM, 0)):
        before = rounds(kept)
        process = start(folder)
        while rounds(kept) <= before:
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.05)
        process.send_signal(number)
        process.communicate()
        assert process.returncode == status
        assert not (folder / "results.json").exists()
    taken = json.loads(kept.read_text())["operations"]
    process = start(folder)
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    assert "goes on" in errors
    table = json.loads((folder / "latency_table.json").read_text())
    assert all(entry["count"] == 60 for entry in table["entries"].values())
    assert len(table["calibration"]["networks"]) == 8
    samples = json.loads(kept.read_text())["operations"]
    assert all(samples[key][: len(times)] == times for key, times in taken.items())
