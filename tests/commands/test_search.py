"""`search` from data set and table to genotype, at tiny size."""

import dataclasses
import json
import pathlib

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from lgcnet_tf.architecture_search import callbacks
from lgcnet_tf.commands.search import search
from lgcnet_tf.errors import InputError
from lgcnet_tf.latency.estimate import CostModel
from lgcnet_tf.latency.table import LatencyTable
from lgcnet_tf.model.network import Network
from lgcnet_tf.space.genotype import Genotype

EPOCHS = 2
OPERATIONS = ("skip_connect", "max_pool_3x3", "conv_3x3")
STEPS = 128 // 32 * EPOCHS


@pytest.fixture(scope="module")
def options(make_options, make_table, tmp_path_factory):
    """Options of a search that is quick to trace, by its folder's name."""
    folder = tmp_path_factory.mktemp("search")

    def make(name, **changes):
        return make_options(
            epochs=EPOCHS,
            batch_size=32,
            seed=0,
            latency_table=str(folder / "table.json"),
            output_dir=str(folder / name),
            cell_operations=OPERATIONS,
            **changes,
        )

    plain = make("table")
    make_table(plain.skeleton(8), plain.input_size).save(folder / "table.json")
    return make


@pytest.fixture(scope="module")
def finished(options):
    """Folder and returned results of an uninterrupted search."""
    run = options("whole")
    return run, search(run)


def checkpoint(options):
    path = f"{options.output_dir}/checkpoints/epoch_{EPOCHS:04d}.npz"
    with np.load(path) as data:
        return {name: data[name] for name in data.files if name != "meta.json"}


def read(options, name):
    with open(f"{options.output_dir}/{name}") as file:
        return json.load(file)


def test_writes_a_genotype_of_the_argmax(finished, options):
    run, _ = finished
    genotype = Genotype.load(f"{run.output_dir}/genotype.json")
    assert genotype.skeleton == run.skeleton(8)
    with np.load(f"{run.output_dir}/alphas.npz") as alphas:
        assert set(alphas.files) == {"probabilities"}
        probabilities = alphas["probabilities"]
    np.testing.assert_allclose(probabilities.sum(-1), 1.0, atol=1e-5)
    assert genotype.cells == tuple(
        tuple(OPERATIONS[i] for i in cell)
        for cell in probabilities.argmax(-1).reshape(2, 5)
    )
    Network(genotype.skeleton, run.input_size, genotype)


def test_genotype_says_where_it_comes_from(finished):
    run, _ = finished
    genotype = Genotype.load(f"{run.output_dir}/genotype.json")
    table = LatencyTable.load(run.latency_table)
    cost_model = CostModel(table, genotype.skeleton, run.input_size)
    provenance = dict(genotype.provenance)
    (searched_on,) = provenance.pop("searched_on")
    assert (searched_on["split"], searched_on["images"]) == ("train", 128)
    assert provenance == {
        "dataset": "toy_streets",
        "input_size": [32, 64],
        "latency_weight": 0.005,
        "latency_form": "log",
        "communication": "ggm",
        "latency_table": table.table_id,
        "seed": 0,
        "predicted_latency_ms": cost_model.predicted_latency(genotype) / 1000,
    }


def test_results(finished):
    run, results = finished
    assert read(run, "results.json") == results
    genotype = Genotype.load(f"{run.output_dir}/genotype.json")
    network = Network(genotype.skeleton, run.input_size, genotype)
    assert results["params"] == network.count_params()
    assert results["epochs"] == EPOCHS
    assert sum(results["operations"].values()) == 2 * 5
    predicted = genotype.provenance["predicted_latency_ms"]
    assert results["predicted_latency_ms"] == predicted > 0
    assert results["last_epoch"] == read(run, "history.json")[-1]


def test_history_has_the_schedules(finished):
    run, _ = finished
    history = read(run, "history.json")
    assert [entry["epoch"] for entry in history] == [1, 2]
    assert [e["temperature"] for e in history] == pytest.approx([1.0, 0.03])
    done = np.array([STEPS // 2, STEPS])
    cosine = 0.001 + (0.025 - 0.001) * 0.5 * (1 + np.cos(np.pi * done / STEPS))
    rates = [entry["learning_rate"] for entry in history]
    np.testing.assert_allclose(rates, cosine, rtol=1e-5)
    for entry in history:
        assert np.isfinite(list(entry.values())).all()
        assert entry["expected_latency_ms"] > 0
        assert 0 < entry["alpha_entropy"] < np.log(len(OPERATIONS))


def test_both_parts_of_the_loss(finished):
    for entry in read(finished[0], "history.json"):
        assert entry["loss"] == pytest.approx(
            entry["cross_entropy"] + entry["latency_loss"], rel=1e-6
        )
        expected_us = 1000 * entry["expected_latency_ms"]
        assert entry["latency_loss"] == pytest.approx(
            0.005 * np.log(expected_us), rel=0.01
        )


def test_the_choice_in_the_results(finished):
    run, results = finished
    with np.load(f"{run.output_dir}/alphas_history.npz") as data:
        course = data["probabilities"]
    with np.load(f"{run.output_dir}/alphas.npz") as data:
        np.testing.assert_array_equal(course[-1], data["probabilities"])
    assert course.shape == (EPOCHS, 10, len(OPERATIONS))
    changed = (course[0].argmax(-1) != course[1].argmax(-1)).sum()
    found = results["last_change"]
    assert changed == (len(found["edges"]) if found else 0)
    ordered = np.sort(course[-1], -1)
    margins = ordered[..., -1] - ordered[..., -2]
    assert results["margin"]["minimum"] == pytest.approx(margins.min())
    assert results["margin"]["median"] == pytest.approx(np.median(margins))
    log = pathlib.Path(run.output_dir, "log.txt").read_text()
    assert log.count("decided: median margin") == 1 and "epoch 2/2: loss" in log
    assert f"{results['verdict']}\n" in log and "decided: " in results["verdict"]
    assert log.splitlines()[-1].endswith("genotype.json (figures in results.json)")


def events(run):
    return EventAccumulator(f"{run.output_dir}/events", {"images": 0}).Reload()


def test_events(finished):
    found = events(finished[0])
    tags = {
        "loss", "cross_entropy", "latency_loss", "miou", "learning_rate", "alpha_lr",
        "guidance_lr", "temperature", "latency_weight", "expected_latency_ms",
        "derived_latency_ms", "alpha_entropy", "alpha_entropy/cell_00",
        "alpha_entropy/cell_01",
    }  # fmt: skip
    assert tags <= set(found.Tags()["scalars"]) and found.Tags()["graph"]
    for tag in tags:
        assert [event.step for event in found.Scalars(tag)] == [1, 2]
    assert set(found.Tags()["images"]) == {"alpha", "genotype/cells", "predictions"}
    for tag in ("alpha", "predictions"):
        assert [event.step for event in found.Images(tag)] == [1, 2]
    changed = finished[1]["last_change"] is not None
    drawn = [event.step for event in found.Images("genotype/cells")]
    assert drawn == ([1, 2] if changed else [1])


def test_stopped_and_started_again_ends_the_same(finished, options, monkeypatch):
    whole, results = finished
    run = options("stopped")
    real = callbacks.temperature_at

    def power_cut(epoch, *arguments):
        if epoch == 1:
            raise KeyboardInterrupt
        return real(epoch, *arguments)

    monkeypatch.setattr(callbacks, "temperature_at", power_cut)
    with pytest.raises(KeyboardInterrupt):
        search(run)
    monkeypatch.undo()
    assert len(read(run, "history.json")) == 1
    search(run)
    one, two = checkpoint(whole), checkpoint(run)
    assert set(one) == set(two)
    for name in one:  # weights, statistics, α, optimisers, noise
        np.testing.assert_array_equal(one[name], two[name])
    a, b = (read(r, "history.json") for r in (whole, run))
    for entry in a + b:
        del entry["seconds"]
    assert a == b
    assert Genotype.load(f"{run.output_dir}/genotype.json") == Genotype.load(
        f"{whole.output_dir}/genotype.json"
    )
    for name in ("last_change", "margin"):
        assert read(run, "results.json")[name] == results[name]
    assert [event.step for event in events(run).Images("alpha")] == [1, 2]


def test_a_finished_search_is_not_repeated(finished):
    with pytest.raises(InputError, match="already holds a finished run"):
        search(finished[0])


def test_data_without_a_validation_split(options, make_table, tmp_path):
    for name, shape in (("train", (32, 64, 3)), ("trainannot", (32, 64))):
        (tmp_path / name).mkdir()
        for index in range(4):
            picture = Image.fromarray(np.full(shape, index, np.uint8))
            picture.save(tmp_path / name / f"{index}.png")
    run = options(
        "train_only",
        dataset="camvid",
        data_dir=str(tmp_path),
        num_cells=1,
        reduction_cells=(),
        fusion_taps=(0,),
        communication="none",
    )
    run = dataclasses.replace(
        run, epochs=1, batch_size=2, latency_table=str(tmp_path / "table.json")
    )
    make_table(run.skeleton(11), run.input_size).save(run.latency_table)
    search(run)
    log = pathlib.Path(run.output_dir, "log.txt").read_text()
    assert log.count("no split 'val'") == 1
    assert set(events(run).Tags()["images"]) == {"alpha", "genotype/cells"}
    wrong = dataclasses.replace(
        run, validation_split="foo", output_dir=str(tmp_path / "wrong")
    )
    with pytest.raises(InputError, match="no split 'foo'. Available: train"):
        search(wrong)


def test_table_of_another_input_size(options):
    run = options("other_size", input_size=(64, 64))
    with pytest.raises(InputError, match="measured for input 32x64, but 64x64"):
        search(run)
    with pytest.raises(FileNotFoundError):
        read(run, "flags.txt")


def test_table_of_another_search_space(options):
    run = options("other_space", initial_channels=4)
    with pytest.raises(InputError, match="initial_channels is 2 in the table, 4"):
        search(run)


def test_table_is_missing(make_options):
    run = make_options(latency_table="no/table.json", output_dir="unused")
    with pytest.raises(InputError, match="no/table.json: no such file"):
        search(run)


def test_unknown_choice(make_options):
    with pytest.raises(
        InputError, match="--communication must be one of ggm, ggm_operation, fc"
    ):
        search(make_options(communication="telepathy"))
