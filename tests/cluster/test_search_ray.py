"""A search through Ray Train, where it is installed: two workers, one of them killed."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

pytest.importorskip("ray.train", reason="Ray Train is not installed")

SCRIPT = pathlib.Path(__file__).parents[2] / "cluster" / "search_ray.py"
EPOCHS = 4
PATIENCE_S = 600


@pytest.fixture
def start(make_table, tmp_path):
    """Starts a tiny search of two workers in `tmp_path / "run"`."""
    from lgcnet_tf.commands.search import SearchOptions
    from lgcnet_tf.run_folder import flag_lines

    options = SearchOptions(
        num_cells=1,
        reduction_cells=(),
        initial_channels=2,
        fusion="none",
        fusion_taps=(0,),
        communication="none",
        input_size=(32, 64),
        crop_size=(32, 64),
        epochs=EPOCHS,
        batch_size=64,
        pictures_every=0,
        latency_table="table.json",
        output_dir="run",
    )
    make_table(options.skeleton(8), options.input_size).save(tmp_path / "table.json")
    started = []

    def start(*arguments):
        command = [sys.executable, str(SCRIPT), *flag_lines(options), *arguments]
        environment = {
            "CUDA_VISIBLE_DEVICES": "-1",
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_ADDRESS": "local",
        }
        with open(tmp_path / "said.txt", "w") as said:
            started.append(
                subprocess.Popen(
                    command,
                    cwd=tmp_path,
                    env=os.environ | environment,
                    stdout=said,
                    stderr=said,
                )
            )
        return started[-1]

    yield start
    for process in started:
        process.terminate()
        process.wait()


def process_that_has_open(path):
    """Its number; none if there is none."""
    for link in pathlib.Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if link.readlink() == path:
                return int(link.parts[2])
        except OSError:  # it has ended, or is another user's
            continue
    return None


def test_a_killed_worker_comes_again(start, tmp_path):
    process = start()
    history, run = tmp_path / "run" / "history.json", tmp_path / "run"
    end = time.monotonic() + PATIENCE_S
    while not history.exists():
        said = (tmp_path / "said.txt").read_text()
        assert process.poll() is None and time.monotonic() < end, said[-3000:]
        time.sleep(0.1)
    os.kill(process_that_has_open(run / "log_worker1.txt"), signal.SIGKILL)
    assert process.wait(PATIENCE_S) == 0, (tmp_path / "said.txt").read_text()[-3000:]
    assert json.loads((run / "results.json").read_text())["epochs"] == EPOCHS
    assert (run / "genotype.json").exists()
    for log in ("log.txt", "log_worker1.txt"):
        assert (run / log).read_text().count("resumes after epoch") == 1


def test_what_starting_again_does_not_mend_is_one_line(start, tmp_path):
    process = start("--latency_table=no/table.json")
    assert process.wait(PATIENCE_S) == 1
    said = (tmp_path / "said.txt").read_text()
    assert said.splitlines()[-1].endswith("no/table.json: no such file.")
    assert said.splitlines()[-1].startswith("search_ray: worker ")
