"""The tutorials' scripts run to their ends, at toy size."""

import dataclasses
import pathlib
import runpy
import sys

import numpy as np
import pytest

pytest.importorskip("tensorflow")

from lgcnet_tf.data import dataset_info
from lgcnet_tf.files import write_json
from lgcnet_tf.model.network import Network
from lgcnet_tf.space.genotype import random_genotype

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    """Runs a script in this process; what it prints."""

    def script(name, *arguments):
        monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
        monkeypatch.chdir(tmp_path)
        runpy.run_path(str(ROOT / "examples" / f"{name}.py"), run_name="__main__")
        return capsys.readouterr().out

    return script


@pytest.fixture
def genotype_file(small_skeleton, tmp_path):
    skeleton = small_skeleton(
        num_classes=8, num_cells=1, reduction_cells=(), fusion="none"
    )
    found = random_genotype(skeleton, np.random.default_rng(0))
    found = dataclasses.replace(found, classes=dataset_info("toy_streets"))
    found.save(tmp_path / "genotype.json")
    return tmp_path / "genotype.json", found


def test_own_data(run, tmp_path):
    said = run("own_data", "--quick", f"--output_dir={tmp_path}")
    assert "car: " in said and "mIoU" in said
    assert "000.png: " in said.splitlines()[-1]


def test_serving(run, genotype_file, tmp_path):
    _, genotype = genotype_file
    network = Network(genotype.skeleton, (32, 64), genotype)
    network.save(tmp_path / "model.keras")
    said = run("serving", f"--model={tmp_path / 'model.keras'}")
    assert "version 1 is ready" in said and "version 2 answers" in said
    assert "mask of (42, 84)" in said
    assert "refused: " in said and "--max_images" in said
    assert 'status="INVALID_ARGUMENT"} 1.0' in said


def test_sweep(run, tmp_path, genotype_file, make_table):
    """All its trials are done: what is left to do is to measure and to compare."""
    _, genotype = genotype_file
    table = tmp_path / "table.json"
    make_table(genotype.skeleton, (32, 32)).save(table)
    for seed, miou in enumerate((0.25, 0.5)):
        trial = tmp_path / "out" / "trials" / f"seed-{seed}"
        (trial / "finetune").mkdir(parents=True)
        Network(genotype.skeleton, (32, 32), genotype).save(
            trial / "finetune" / "model.keras"
        )
        evaluated = {
            "miou": miou, "params": 1, "macs": 1, "predicted_latency_ms": 1.0,
            "latency_ms": 1.0, "latency_spread_ms": 1.0,
        }  # fmt: skip
        for stage in ("search", "finetune", "evaluate"):
            write_json(trial / stage / "results.json", evaluated)
    said = run(
        "sweep", f"--latency_table={table}", "--vary=", f"--output_dir={tmp_path}/out"
    )
    (best,) = [line for line in said.splitlines() if "mIoU 0.500" in line]
    assert "seed-1" in best and "on the front" in best
    assert (tmp_path / "out" / "pareto.png").exists()


def test_several_devices(run, genotype_file):
    said = run(
        "several_devices", f"--model={genotype_file[0]}", "--input_size=32x64",
        "--epochs=1",
    )  # fmt: skip
    assert "after 1 epochs" in said
