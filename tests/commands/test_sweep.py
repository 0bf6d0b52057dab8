"""`lgcnet-sweep`, with real searches, finetunings and evaluations."""

import csv
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from lgcnet_tf.commands.search import SearchOptions
from lgcnet_tf.commands.sweep import SweepOptions, _given, sweep
from lgcnet_tf.errors import InputError
from lgcnet_tf.files import write_json
from lgcnet_tf.model.network import Network
from lgcnet_tf.space.genotype import uniform

SIZE = (32, 32)
SPACE = {
    "num_cells": 1,
    "reduction_cells": (),
    "fusion": "none",
    "initial_channels": 2,
}
CROPS = {"input_size": SIZE, "crop_size": SIZE, "batch_size": 32}
EPOCHS = 30
"""So many that the first finetuning is killed before its end."""


def flagfile(path, values):
    def text(name, value):
        joint = "x" if name.endswith("_size") else ","
        return joint.join(map(str, value)) if isinstance(value, tuple) else value

    path.write_text("".join(f"--{k}={text(k, v)}\n" for k, v in values.items()))
    return str(path)


@pytest.fixture(scope="module")
def options(tmp_path_factory, make_table):
    """A sweep over two seeds, by what differs."""
    root = tmp_path_factory.mktemp("sweep")
    table = str(root / "table.json")
    space = SearchOptions(**SPACE, input_size=SIZE)
    make_table(space.skeleton(8), SIZE).save(table)
    searching = {"search_strategy": "random", "latency_table": table, **SPACE}
    flags = {
        "search_flags": flagfile(root / "search.txt", CROPS | searching),
        "finetune_flags": flagfile(
            root / "finetune.txt", CROPS | {"validation_split": "", "epochs": EPOCHS}
        ),
        "evaluate_flags": flagfile(
            root / "evaluate.txt", {"repeats": 2, "examples": 0}
        ),
    }

    def make(name="run", **changes):
        fields = {"seeds": (0, 1), "parallel": 1, "repeats": 2, **flags}
        return SweepOptions(output_dir=str(root / name), **fields | changes)

    return make


@pytest.fixture(scope="module")
def finished(options):
    """A sweep whose second trial was done, and which was killed in the first."""
    run = options()
    trials = pathlib.Path(run.output_dir, "trials")
    done, broken = trials / "seed-1", trials / "seed-0"
    genotype = uniform(SearchOptions(**SPACE).skeleton(8), "conv_3x3")
    (done / "finetune").mkdir(parents=True)
    Network(genotype.skeleton, SIZE, genotype).save(done / "finetune" / "model.keras")
    evaluated = {
        "miou": 0.5, "params": 1, "macs": 1, "predicted_latency_ms": 1.0,
        "latency_ms": 1e9, "latency_spread_ms": 1.0,
    }  # fmt: skip
    for stage in ("search", "finetune", "evaluate"):
        write_json(done / stage / "results.json", evaluated)
    before = {path: path.stat().st_mtime_ns for path in done.glob("*/*")}
    process = subprocess.Popen(
        [
            sys.executable, "-m", "lgcnet_tf.bin.sweep",
            f"--search_flags={run.search_flags}",
            f"--finetune_flags={run.finetune_flags}",
            f"--evaluate_flags={run.evaluate_flags}",
            "--seeds=0,1", "--parallel=1", "--repeats=2",
            f"--output_dir={run.output_dir}",
        ],
        stderr=subprocess.PIPE,
    )  # fmt: skip
    end = time.monotonic() + 300
    while not list((broken / "finetune" / "checkpoints").glob("epoch_*.npz")):
        assert process.poll() is None, process.stderr.read().decode()[-2000:]
        assert time.monotonic() < end
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (broken / "finetune" / "results.json").exists()
    searched = (broken / "search" / "results.json").stat().st_mtime_ns
    results = sweep(run)
    assert (broken / "search" / "results.json").stat().st_mtime_ns == searched
    assert {path: path.stat().st_mtime_ns for path in done.glob("*/*")} == before
    return pathlib.Path(run.output_dir), results


def test_a_killed_sweep_goes_on(finished):
    folder, _ = finished
    log = (folder / "trials" / "seed-0" / "finetune" / "log.txt").read_text()
    assert "starts" in log and "goes on" in log and "resumes" in log
    history = folder / "trials" / "seed-0" / "finetune" / "history.json"
    epochs = [entry["epoch"] for entry in json.loads(history.read_text())]
    assert epochs == list(range(1, EPOCHS + 1))


def test_results(finished):
    folder, results = finished
    assert json.loads((folder / "results.json").read_text()) == results
    with open(folder / "trials.csv") as file:
        rows = list(csv.DictReader(file))
    assert [row["trial"] for row in rows] == ["seed-0", "seed-1"]
    for row, trial in zip(rows, results["trials"]):
        path = folder / "trials" / row["trial"] / "evaluate" / "results.json"
        evaluated = json.loads(path.read_text())
        assert float(row["miou"]) == evaluated["miou"]
        assert float(row["predicted_ms"]) == evaluated["predicted_latency_ms"]
        # Timed again, side by side.
        assert trial["measured_ms"] != evaluated["latency_ms"]
    (summary,) = results["summary"]
    assert summary["trials"] == 2
    assert set(results["pareto_front"]) <= {"seed-0", "seed-1"}
    for name in ("pareto.png", "summary.csv", "hparams/seed-0"):
        assert (folder / name).exists()


def test_a_finished_sweep_is_not_repeated(finished, options):
    with pytest.raises(InputError, match="already holds a finished run"):
        sweep(options())


def test_flagfiles_must_stay_the_same(options, quick_stages, tmp_path):
    changed = tmp_path / "search.txt"
    changed.write_text("--epochs=2\n")
    run = options("changed", search_flags=str(changed), vary="communication=shared")
    with pytest.raises(InputError, match="2 of 2 trials failed .communication-shared"):
        sweep(run)
    changed.write_text("--epochs=3\n")
    with pytest.raises(InputError, match="has changed since this sweep began"):
        sweep(run)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"search_flags": ""}, "--search_flags is missing"),
        (
            {"finetune_flags": "no/such.txt"},
            "--finetune_flags: no/such.txt: no such file",
        ),
        ({"seeds": ()}, "--seeds"),
        ({"seeds": (1, 1)}, "--seeds"),
        ({"seeds": (-1,)}, "--seeds"),
        ({"vary": "nosuch=1"}, "no flag --nosuch"),
        ({"launcher": "smoke"}, "--launcher must be one of processes, ray"),
        ({"parallel": -1}, "--parallel must be at least 0"),
    ],
)
def test_refuses(options, changes, message):
    run = options("refused", **changes)
    with pytest.raises(InputError, match=message):
        sweep(run)
    assert not os.path.exists(run.output_dir)


def test_ray_is_optional(options, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    run = options("ray", launcher="ray")
    with pytest.raises(InputError, match="pip install 'ray.train,tune.'"):
        sweep(run)
    assert not os.path.exists(run.output_dir)


def test_goes_on_only_with_the_same_inputs(options, quick_stages, tmp_path):
    """Trials of before and after would not be comparable."""
    inner, table = tmp_path / "inner.txt", tmp_path / "table.json"
    inner.write_text("--epochs=2\n")
    table.write_text("{}")
    outer = tmp_path / "outer.txt"
    named = f"--dataset=toy_streets\n--latency_table={table}\n"
    outer.write_text(f"--flagfile={inner}\n{named}")
    run = options("inputs", search_flags=str(outer), vary="communication=shared")
    with pytest.raises(InputError, match="2 of 2 trials failed"):
        sweep(run)
    inputs = json.loads(pathlib.Path(run.output_dir, "inputs.json").read_text())
    assert {"split train of toy_streets", "split val of toy_streets"} < set(inputs)
    table.write_text("[]")
    with pytest.raises(InputError, match=f"--latency_table: {table} changed"):
        sweep(run)
    table.write_text("{}")
    inner.write_text("--epochs=3\n")
    with pytest.raises(InputError, match=f"--search_flags: {inner} changed"):
        sweep(run)
    inner.write_text(f"--flagfile={inner}\n")
    with pytest.raises(InputError, match="names itself"):
        sweep(run)


def test_networks_are_evaluated_on_what_times_them(options, quick_stages, calls):
    flags = pathlib.Path(options().evaluate_flags).parent / "runtime.txt"
    flags.write_text("--runtime=openvino\n--repeats=2\n")
    with pytest.raises(InputError, match="names --runtime=openvino, the sweep has"):
        sweep(options("runtime", evaluate_flags=str(flags)))
    given = _given(options(runtime="keras_backend", threads=2))["evaluate"]
    assert given == {
        "runtime": "keras_backend",
        "precision": "float32",
        "threads": "2",
        "calibration_method": "minmax",
    }
    same = _given(options(runtime="openvino", evaluate_flags=str(flags)))["evaluate"]
    assert same["runtime"] == "openvino"
    with pytest.raises(InputError, match="no such model"):  # the stages left none
        sweep(options("given2", runtime="keras_backend", seeds=(0,)))
    (call,) = calls(
        pathlib.Path(options("given2").output_dir, "trials/seed-0"), "evaluate"
    )
    assert "--runtime=keras_backend" in call["flags"]
