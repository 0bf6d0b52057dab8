"""Two processes that train together, one of which is killed and started again."""

import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest

from lgcnet_tf.run_folder import flag_lines

SCRIPT = pathlib.Path(__file__).with_name("worker.py")
EPOCHS = 3
PATIENCE_S = 600


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("workers")


@pytest.fixture(scope="module")
def command(make_options, make_table, folder):
    """The command of a tiny search into a folder of the given name."""

    def make(name, kill_in_epoch=-1, **changes):
        options = make_options(
            num_cells=1,
            reduction_cells=(),
            communication="none",
            cell_operations=("skip_connect", "conv_3x3"),
            epochs=EPOCHS,
            batch_size=64,  # two steps an epoch
            deterministic=True,
            pictures_every=0,
            validation_split="",
            latency_table=str(folder / "table.json"),
            output_dir=str(folder / name),
            **changes,
        )
        table = make_table(options.skeleton(8), options.input_size)
        if not (folder / "table.json").exists():
            table.save(folder / "table.json")
        return [sys.executable, SCRIPT, str(kill_in_epoch), *flag_lines(options)]

    return make


@pytest.fixture(scope="module")
def start(folder):
    """Starts processes whose standard error goes to a file, `.said`."""
    started = []

    def start(command, tf_config=None):
        environment = os.environ | {"CUDA_VISIBLE_DEVICES": "-1"}
        if tf_config:
            environment["TF_CONFIG"] = json.dumps(tf_config)
        said = folder / f"said_{len(started)}.txt"
        with open(said, "w") as file:
            process = subprocess.Popen(command, env=environment, stderr=file)
        process.said = said
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()


def wait_for(condition, process):
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, process.said.read_text()[-3000:]
        time.sleep(0.1)


@pytest.fixture(scope="module")
def runs(command, start, folder):
    """Folders of one process with two devices and of two with one each.

    And what the chief of the two said.
    """
    single = start(command("single", devices=("CPU:0", "CPU:1")))
    assert single.wait(PATIENCE_S) == 0, single.said.read_text()[-3000:]
    with socket.socket() as one, socket.socket() as two:
        one.bind(("127.0.0.1", 0))
        two.bind(("127.0.0.1", 0))
        addresses = [f"127.0.0.1:{s.getsockname()[1]}" for s in (one, two)]

    def tf_config(index):
        return {
            "cluster": {"worker": addresses},
            "task": {"type": "worker", "index": index},
        }

    chief = start(command("several"), tf_config(0))
    killed = start(command("several", kill_in_epoch=1), tf_config(1))
    assert killed.wait(PATIENCE_S) == -signal.SIGKILL, killed.said.read_text()[-3000:]
    wait_for(lambda: "was lost" in chief.said.read_text(), chief)
    again = start(command("several"), tf_config(1))
    assert chief.wait(PATIENCE_S) == 0, chief.said.read_text()[-3000:]
    assert again.wait(PATIENCE_S) == 0, again.said.read_text()[-3000:]
    return folder / "single", folder / "several", chief.said.read_text()


def test_both_end_with_the_same_alpha(runs):
    single, several, _ = runs
    with np.load(single / "alphas.npz") as one, np.load(several / "alphas.npz") as two:
        assert set(one.files) == set(two.files)
        for name in one.files:
            np.testing.assert_allclose(two[name], one[name], atol=1e-5, rtol=0)


def test_both_have_the_same_figures(runs):
    one, two = (json.loads((run / "history.json").read_text()) for run in runs[:2])
    assert [epoch["epoch"] for epoch in two] == [1, 2, 3]
    for a, b in zip(one, two, strict=True):
        for name in a.keys() - {"seconds"}:
            assert b[name] == pytest.approx(a[name], abs=1e-5), name


def test_the_survivor_says_so_in_one_line_and_goes_on(runs):
    _, several, said = runs
    lost = [line for line in said.splitlines() if "was lost" in line]
    assert len(lost) == 1 and lost[0].endswith("Starting again.")
    assert "Traceback" not in said
    assert "resumes after epoch 1 of 3" in (several / "log.txt").read_text()


def test_only_the_chief_writes_but_for_a_log(runs):
    single, several, _ = runs
    log = several / "log_worker1.txt"
    assert log.exists()
    assert "resumes after epoch 1 of 3" in log.read_text()

    def names(folder):
        return {p.name for p in folder.rglob("*") if not p.name.startswith("events.")}

    assert names(several) - {log.name} == names(single)
