"""Choosing among networks of a search by short trainings."""

import dataclasses
import pathlib

import numpy as np
import pytest

pytest.importorskip("tensorflow")

from lgcnet_tf.commands import choose as module
from lgcnet_tf.commands.choose import ChooseOptions, choose
from lgcnet_tf.commands.finetune import FinetuneOptions, finetune
from lgcnet_tf.data import dataset_info
from lgcnet_tf.errors import InputError
from lgcnet_tf.files import read_json, write_json
from lgcnet_tf.interruption import Interrupted
from lgcnet_tf.latency.estimate import CostModel
from lgcnet_tf.run_folder import ALPHAS, GENOTYPE, LATENCY_TABLE, RESULTS
from lgcnet_tf.space.choices import PROBABILITIES
from lgcnet_tf.space.genotype import Genotype
from lgcnet_tf.space.skeleton import Skeleton

SIZE = (32, 64)
SPACE = Skeleton(
    num_classes=8, initial_channels=2, num_cells=3, reduction_cells=(1,),
    fusion="none", fusion_taps=(0, 1, 2),
)  # fmt: skip


@pytest.fixture(scope="module")
def searched(make_table, tmp_path_factory):
    """The folder of a search, and what its network takes in ms."""
    folder = tmp_path_factory.mktemp("search")
    table = make_table(SPACE, SIZE)
    table.save(folder / LATENCY_TABLE)
    logits = np.random.default_rng(0).normal(size=SPACE.candidate_mask.shape)
    weights = np.where(SPACE.candidate_mask, np.exp(0.3 * logits), 0.0)
    p = (weights / weights.sum(-1, keepdims=True)).astype("float32")
    np.savez(folder / ALPHAS, **{PROBABILITIES: p})
    genotype = Genotype.at(
        SPACE,
        p.argmax(-1),
        provenance={"input_size": list(SIZE), "dataset": "toy_streets"},
        classes=dataset_info("toy_streets"),
    )
    genotype.save(folder / GENOTYPE)
    costs = CostModel(table, SPACE, SIZE)
    return folder, costs.predicted_latency(genotype) / 1000.0


@pytest.fixture
def options(searched, tmp_path):
    def make(**changes):
        given = {
            "search_dir": str(searched[0]), "candidates": 3, "epochs": 1,
            "batch_size": 64, "pictures_every": 0, "output_dir": str(tmp_path / "out"),
        } | changes  # fmt: skip
        return ChooseOptions(**given)

    return make


@pytest.fixture
def trainings(monkeypatch):
    """In place of trainings: their options; the second network comes out best."""
    asked = []

    def run_stage(name, program, stage, folder):
        assert program == "finetune" and isinstance(stage, FinetuneOptions)
        asked.append(stage)
        (folder / name).mkdir()
        figure = "left_out_miou" if stage.left_out else "val_miou"
        miou = {"0": 0.25, "1": 0.5}.get(name[-1], float("nan"))
        history = [{"epoch": 1}, {"epoch": 2, figure: miou}]
        write_json(folder / name / "history.json", history)
        write_json(folder / name / RESULTS, {})

    monkeypatch.setattr(module, "run_stage", run_stage)
    return asked


def test_keeps_the_best_of_networks_of_one_latency(searched, options, trainings):
    search, own_ms = searched
    results = choose(options(seed=3, lr=0.02))
    out = trainings[0].output_dir.removesuffix("/candidates/0")
    assert results["chosen"] == 1 and results["measured"] == "val_miou"
    assert results["miou"] == 0.5
    assert [each["miou"] for each in results["candidates"]][:2] == [0.25, 0.5]
    assert results["target_latency_ms"] == pytest.approx(own_ms)
    tried = [Genotype.load(each.model) for each in trainings]
    assert [each.id for each in tried] == [
        each["genotype"] for each in results["candidates"]
    ]
    page = (pathlib.Path(out) / "report.html").read_text()
    assert "<h2>Candidates</h2>" in page and "50.0 %" in page
    assert len({each.id for each in tried}) == 3
    own = Genotype.load(search / GENOTYPE)
    assert tried[0].id == own.id
    for each in tried:
        predicted = each.provenance["predicted_latency_ms"]
        assert predicted == pytest.approx(own_ms, rel=0.05)
        assert each.classes.class_names == own.classes.class_names
    chosen = Genotype.load(f"{out}/{GENOTYPE}")
    assert chosen.id == tried[1].id
    assert chosen.provenance["derived_from"] == own.id
    for each in trainings:  # the options of the training reach it
        assert (each.epochs, each.lr, each.seed) == (1, 0.02, 3)
        assert (each.dataset, each.input_size) == ("toy_streets", SIZE)
    with pytest.raises(InputError, match="finished"):
        choose(options())


def test_goes_on_where_it_was_stopped(options, trainings, monkeypatch):
    make = module.run_stage

    def stopped(name, *rest):
        if name.endswith("1"):
            raise Interrupted("stopped")
        make(name, *rest)

    monkeypatch.setattr(module, "run_stage", stopped)
    with pytest.raises(Interrupted):
        choose(options())
    monkeypatch.setattr(module, "run_stage", make)
    results = choose(options())
    assert [each.output_dir[-1] for each in trainings] == ["0", "1", "2"]
    assert results["chosen"] == 1


def test_figures_are_those_of_the_trainings(options, monkeypatch):
    """Real ones, in this process; `lgcnet run` tests them as processes."""
    monkeypatch.setattr(module, "run_stage", lambda *stage: finetune(stage[2]))
    results = choose(options(candidates=2, initial_model=""))
    folder = f"{options().output_dir}/candidates/{results['chosen']}"
    best = max(each["miou"] for each in results["candidates"])
    assert results["miou"] == best
    assert read_json(f"{folder}/results.json")["last_epoch"]["val_miou"] == best


@pytest.mark.parametrize(
    "changes, said",
    [
        ({"search_dir": ""}, "--search_dir is missing"),
        ({"search_dir": "absent"}, "--search_dir=absent: no genotype.json"),
        ({"candidates": 1}, "--candidates must be at least 2"),
        ({"spread": 0.0}, "--spread must be above 0"),
        ({"target_latency_ms": 1e6}, "out of reach"),
        ({"validation_split": ""}, "nothing to compare networks on: --left_out"),
        ({"hardest": 2.0}, "--hardest must be at most 1"),
    ],
)
def test_what_is_refused_leaves_nothing(options, trainings, tmp_path, changes, said):
    with pytest.raises(InputError, match=said):
        choose(options(**changes))
    assert not (tmp_path / "out").exists() and not trainings


def test_a_space_with_few_networks_says_so(options, trainings, tmp_path):
    results = choose(options(candidates=4, spread=1e-9))
    assert len(results["candidates"]) == 1 and results["chosen"] == 0
    log = (tmp_path / "out" / "log.txt").read_text()
    assert "found: 1, not 4; a larger --spread" in log


def test_all_that_a_training_takes_can_be_given():
    own = {field.name for field in dataclasses.fields(ChooseOptions)}
    trained = {field.name for field in dataclasses.fields(FinetuneOptions)}
    assert trained - own == {"model"}
