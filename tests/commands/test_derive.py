"""Other networks from a search that has ended."""

import json
import shutil

import numpy as np
import pytest

from lgcnet_tf.architecture_search.latency_target import latency_range
from lgcnet_tf.commands.derive import DeriveOptions, derive
from lgcnet_tf.data import dataset_info
from lgcnet_tf.errors import InputError
from lgcnet_tf.latency.estimate import CostModel
from lgcnet_tf.latency.table import LatencyTable
from lgcnet_tf.run_folder import ALPHAS, GENOTYPE, LATENCY_TABLE
from lgcnet_tf.space.choices import PROBABILITIES, read_probabilities
from lgcnet_tf.space.genotype import Genotype
from lgcnet_tf.space.skeleton import Skeleton

SIZE = (32, 64)
SPACE = Skeleton(
    num_classes=8, initial_channels=2, num_cells=5, reduction_cells=(1, 3),
    fusion_taps=(0, 2, 4), fusion_channels=4,
)  # fmt: skip


@pytest.fixture(scope="module")
def searched(make_table, tmp_path_factory):
    """What a search leaves: its folder, and the probabilities in it."""
    folder = tmp_path_factory.mktemp("search")
    table = make_table(SPACE, SIZE)
    table.save(folder / LATENCY_TABLE)
    logits = np.random.default_rng(0).normal(size=SPACE.candidate_mask.shape)
    weights = np.where(SPACE.candidate_mask, np.exp(logits), 0.0)
    p = (weights / weights.sum(-1, keepdims=True)).astype("float32")
    np.savez(folder / ALPHAS, **{PROBABILITIES: p})
    costs = CostModel(table, SPACE, SIZE)
    choice = p.argmax(-1)
    provenance = {
        "input_size": list(SIZE),
        "communication": "ggm",
        "dataset": "toy_streets",
        "target_latency_ms": 1.0,
        "predicted_latency_ms": float(costs.predicted_latencies(choice)) / 1000,
    }
    classes = dataset_info("toy_streets")
    genotype = Genotype.at(SPACE, choice, provenance=provenance, classes=classes)
    genotype.save(folder / GENOTYPE)
    return folder, p


def test_meets_the_target_with_probable_operations(searched, tmp_path):
    search, p = searched
    before = Genotype.load(search / GENOTYPE)
    target = 0.8 * before.provenance["predicted_latency_ms"]
    options = DeriveOptions(
        search_dir=str(search), target_latency_ms=target, output_dir=str(tmp_path)
    )
    results = derive(options)
    genotype = Genotype.load(tmp_path / GENOTYPE)
    table = LatencyTable.load(tmp_path / LATENCY_TABLE)
    predicted = CostModel(table, SPACE, SIZE).predicted_latency(genotype) / 1000
    assert predicted == pytest.approx(results["predicted_latency_ms"])
    assert abs(predicted / target - 1) <= 0.05
    changed = genotype.choice != p.argmax(-1)
    assert 0 < results["edges_changed"] == changed.sum() < 10
    assert genotype.provenance["derived_from"] == before.id
    assert genotype.provenance["target_latency_ms"] == target
    assert genotype.classes.class_names == before.classes.class_names
    np.testing.assert_array_equal(read_probabilities(tmp_path / ALPHAS, SPACE), p)
    assert "report.html" in {path.name for path in tmp_path.iterdir()}
    with pytest.raises(InputError, match="finished"):
        derive(options)


def test_for_another_device(searched, tmp_path):
    search, p = searched
    record = json.loads((search / LATENCY_TABLE).read_text())
    record["batch_size"] = 4
    for entry in record["entries"].values():
        entry["median_us"] *= 2.0
    other = tmp_path / "other.json"
    other.write_text(json.dumps(record))
    results = derive(
        DeriveOptions(
            search_dir=str(search),
            latency_table=str(other),
            output_dir=str(tmp_path / "derived"),
        )
    )
    inputs = json.loads((tmp_path / "derived" / "inputs.json").read_text())
    assert list(inputs["--latency_table"]) == [str(other)]
    genotype = Genotype.load(tmp_path / "derived" / GENOTYPE)
    np.testing.assert_array_equal(genotype.choice, p.argmax(-1))
    assert "target_latency_ms" not in genotype.provenance
    assert genotype.provenance["latency_batch_size"] == 4
    costs = CostModel(LatencyTable.load(other), SPACE, SIZE)
    assert results["predicted_latency_ms"] == pytest.approx(
        costs.predicted_latency(genotype) / 1000
    )


def refused(tmp_path, **changes):
    with pytest.raises(InputError) as error:
        derive(DeriveOptions(output_dir=str(tmp_path / "derived"), **changes))
    assert not (tmp_path / "derived").exists()
    return str(error.value)


def test_what_is_refused_leaves_nothing(searched, make_table, tmp_path):
    search, _ = searched
    empty = tmp_path / "empty"
    empty.mkdir()
    said = refused(tmp_path, search_dir=str(empty))
    assert said.startswith(f"--search_dir={empty}: no genotype.json and no alphas.npz")
    costs = CostModel(LatencyTable.load(search / LATENCY_TABLE), SPACE, SIZE)
    _, slowest = latency_range(costs, range(5))
    said = refused(tmp_path, search_dir=str(search), target_latency_ms=slowest / 500)
    assert "out of reach" in said
    wide = Skeleton(**{**SPACE.to_dict(), "initial_channels": 4})
    make_table(wide, SIZE).save(tmp_path / "wide.json")
    said = refused(
        tmp_path, search_dir=str(search), latency_table=str(tmp_path / "wide.json")
    )
    assert "initial_channels" in said
    assert "--search_dir is missing" in refused(tmp_path)
    with pytest.raises(InputError, match="is the search's folder"):
        derive(DeriveOptions(search_dir=str(search), output_dir=f"{search}/."))


@pytest.mark.parametrize(
    ("damage", "words"), [(np.nan, "no probabilities"), (0.0, "do not add up to 1")]
)
def test_damaged_probabilities_are_refused(searched, tmp_path, damage, words):
    search, p = searched
    copy = tmp_path / "copy"
    shutil.copytree(search, copy)
    damaged = p.copy()
    damaged[2] = damage
    np.savez(copy / ALPHAS, **{PROBABILITIES: damaged})
    assert words in refused(tmp_path, search_dir=str(copy))
    np.savez(copy / ALPHAS, **{PROBABILITIES: p})
    (copy / LATENCY_TABLE).unlink()
    assert "--latency_table" in refused(tmp_path, search_dir=str(copy))


def test_a_network_that_cannot_be_built_leaves_nothing(searched, tmp_path, monkeypatch):
    """As where an operation's extension is not named."""
    from lgcnet_tf.model.network import Network

    def refuse(*_):
        raise InputError("name it with --extension")

    monkeypatch.setattr(Network, "derived", refuse)
    assert "--extension" in refused(tmp_path, search_dir=str(searched[0]))
