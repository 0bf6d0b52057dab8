"""Entries of the zoo, made of the folders that trainings leave."""

import argparse
import importlib.util
import json
import pathlib
import shutil

import numpy as np
import pytest

from lgcnet_tf.errors import InputError
from lgcnet_tf.model.cards import Card

PATH = pathlib.Path(__file__).parents[1] / "benchmarks" / "export_zoo_entry.py"


@pytest.fixture(scope="module")
def exporter():
    spec = importlib.util.spec_from_file_location("export_zoo_entry", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def run(trained, tmp_path):
    """Makes the folder of a training that has ended."""

    def make(name, epochs, **flags):
        folder = tmp_path / name
        folder.mkdir()
        flags = {
            "output_dir": folder, "dataset": "toy_streets", "data_dir": "",
            "split": "train", "left_out": "", "group_by": r"^(.{4})",
            "input_size": "32x64", "crop_size": "16x32", "batch_size": 32,
            "epochs": epochs, "crop_schedule": "0:16x32,0.5:32x64",
        } | flags  # fmt: skip
        lines = [f"--{name}={value}" for name, value in flags.items()]
        (folder / "flags.txt").write_text("\n".join(["# lgcnet-finetune", *lines]))
        history = [{"epoch": n, "loss": 1.0} for n in range(1, epochs + 1)]
        (folder / "history.json").write_text(json.dumps(history))
        shutil.copy(trained, folder / "model.keras")
        return folder

    return make


@pytest.fixture
def arguments(tmp_path):
    def make(*runs, **changes):
        return argparse.Namespace(
            **{
                "name": "toy", "runs": ",".join(map(str, runs)), "left_out_runs": "",
                "data_dir": "", "search_flags": "", "derive_flags": "",
                "initial": "START/model.keras", "val_split": "val",
                "limit": ["It is a toy."], "repeats": 2,
                "output_dir": str(tmp_path / "zoo"),
            }
            | changes
        )  # fmt: skip

    return make


def test_an_entry_says_what_its_trainings_were(exporter, run, arguments, tmp_path, trained, monkeypatch):  # fmt: skip
    from lgcnet_tf.data import load_samples
    from lgcnet_tf.evaluation.evaluate import evaluate, mask_function
    from lgcnet_tf.model.zoo import load_network

    timed = []  # two networks in child processes: measured by tests of its own
    ratios = lambda models, repeats: timed.append(models) or ([0.5], "a CPU")
    monkeypatch.setattr(exporter, "latency_ratios", ratios)
    runs = run("first", 2), run("last", 4)
    images = len(load_samples("toy_streets", "train"))
    found = exporter.export(arguments(*runs))
    folder = tmp_path / "zoo"
    card = Card.load(folder / "card.json")
    # Half of the epochs at a quarter of the area.
    steps = images // 32
    assert card.training.passes == found["passes"] == 32 * steps * 3.75
    assert card.training.frames == images and not card.training.left_out
    written = load_network(folder / "model.keras")
    given = load_network(trained)
    for one, other in zip(written.get_weights(), given.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=2e-3)
    val = evaluate(
        mask_function(written), load_samples("toy_streets", "val"), progress=False
    )
    assert card.val.miou == pytest.approx(val.miou, abs=0.02)  # deployed
    assert card.left_out is None and found["left_out_miou"] is None
    assert timed == [[folder / "model.keras"]]
    assert (card.latency.ratio, card.latency.device) == (0.5, "a CPU")
    assert card.limits == ("It is a toy.",)
    first, last = card.commands
    assert "--initial_model=START/model.keras" in first
    assert "--initial_model=RUN_1/model.keras" in last
    assert str(tmp_path) not in (folder / "card.json").read_text()
    assert str(tmp_path) not in (folder / "finetune_1_flags.txt").read_text()
    history = json.loads((folder / "finetune_history.json").read_text())
    assert [epoch["epoch"] for epoch in history] == [1, 2, 3, 4, 5, 6]
    assert (folder / "README.md").read_text().startswith("# toy")


def test_a_figure_of_images_that_were_trained_on_is_refused(exporter, run, arguments):
    whole = run("whole", 1)
    with pytest.raises(InputError, match="this run has no --left_out"):
        exporter.export(arguments(whole, left_out_runs=str(whole)))
