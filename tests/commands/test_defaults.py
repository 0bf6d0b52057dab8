"""A command's data, size and space are those of the table, model or run it is given."""

import dataclasses

import pytest

from lgcnet_tf.commands import defaults
from lgcnet_tf.commands.evaluate import EvaluateOptions
from lgcnet_tf.commands.finetune import FinetuneOptions
from lgcnet_tf.commands.given import check_given
from lgcnet_tf.commands.measure_latency import MeasureOptions
from lgcnet_tf.commands.search import SearchOptions
from lgcnet_tf.data import dataset_info
from lgcnet_tf.errors import InputError
from lgcnet_tf.model.network import Network
from lgcnet_tf.run_folder import flag_lines
from lgcnet_tf.space.genotype import uniform

from ..data.folders import write_folder

ZOO_MODEL = "lgcnet_camvid"


@pytest.fixture
def space(small_skeleton):
    return small_skeleton(num_classes=8)


@pytest.fixture
def table(make_table, space, tmp_path):
    """Path of a table for toy_streets."""
    made = make_table(space, (32, 64))
    made = dataclasses.replace(made, classes=dataset_info("toy_streets"))
    made.save(tmp_path / "table.json")
    return str(tmp_path / "table.json")


def test_a_search_takes_those_of_its_table(table, space):
    found = defaults.of_table(SearchOptions(latency_table=table))
    assert (found.dataset, found.input_size) == ("toy_streets", (32, 64))
    assert found.crop_size == (32, 64)
    assert found.skeleton(8) == space
    assert defaults.of_table(found) == found


def test_what_is_given_stays(table):
    given = SearchOptions(
        latency_table=table, dataset="camvid", input_size=(64, 64), num_cells=7,
        crop_size=(16, 16),
    )  # fmt: skip
    found = defaults.of_table(given)
    assert found.dataset == "camvid" and found.num_cells == 7
    assert (found.input_size, found.crop_size) == ((64, 64), (16, 16))


def test_a_table_that_does_not_know_its_data(make_table, space, tmp_path, capsys):
    options = SearchOptions(latency_table=str(tmp_path / "table.json"))
    make_table(space, (32, 64)).save(options.latency_table)
    assert defaults.of_table(options).dataset == "toy_streets"
    assert "table.json does not say which data it is of" in capsys.readouterr().err
    space = dataclasses.replace(space, num_classes=7)
    make_table(space, (32, 64)).save(options.latency_table)
    with pytest.raises(
        InputError, match="--dataset is missing: .* Available: .*camvid"
    ):
        defaults.of_table(options)


def test_a_training_takes_those_of_its_genotype():
    found = defaults.of_genotype(FinetuneOptions(model=ZOO_MODEL, data_dir="camvid"))
    assert (found.dataset, found.data_dir) == ("camvid", "camvid")
    assert (found.input_size, found.crop_size) == ((360, 480), (360, 480))


def test_a_trained_networks_size_is_its_own(tmp_path, small_skeleton):
    """And not the one that its architecture was searched at."""
    genotype = uniform(small_skeleton(fusion="none", fusion_taps=()), "conv_3x3")
    provenance = {"dataset": "camvid", "input_size": [32, 64]}
    genotype = dataclasses.replace(genotype, provenance=provenance)
    path = tmp_path / "model.keras"
    Network.derived(genotype, (48, 96)).save(path)
    found = defaults.of_genotype(FinetuneOptions(model=str(path), data_dir="camvid"))
    assert found.input_size == (48, 96)


def test_large_images_are_trained_on_in_crops():
    options = FinetuneOptions(model=ZOO_MODEL, input_size=(720, 1280))
    assert defaults.of_genotype(options).crop_size == (304, 544)


def test_an_evaluation_takes_the_data_of_its_network():
    found = defaults.of_model(EvaluateOptions(model=ZOO_MODEL))
    assert (found.dataset, found.input_size, found.split) == ("camvid", None, "val")


@pytest.fixture
def run(space, tmp_path, monkeypatch):
    """A run on an own folder of data, with a genotype; here is its parent."""
    monkeypatch.chdir(tmp_path)
    write_folder(tmp_path / "data")
    options = SearchOptions(
        dataset="folder", data_dir="data", val_share=0.25, split_seed=3,
        output_dir="run", input_size=(32, 64),
    )  # fmt: skip
    (tmp_path / "run").mkdir()
    lines = "\n".join(["# lgcnet-search", *flag_lines(options)])
    (tmp_path / "run/flags.txt").write_text(lines + "\n")
    info = dataset_info("folder", "data")
    genotype = uniform(dataclasses.replace(space, num_classes=3), "sep_conv_3x3")
    provenance = {"dataset": "data", "input_size": [32, 64]}
    genotype = dataclasses.replace(genotype, provenance=provenance, classes=info)
    genotype.save("run/genotype.json")
    return tmp_path / "run"


def test_own_data_lie_where_the_run_before_had_them(run):
    found = defaults.of_genotype(FinetuneOptions(model="run/genotype.json"))
    assert (found.dataset, found.data_dir) == ("folder", "data")
    assert (found.val_share, found.split_seed) == (0.25, 3)
    found = defaults.of_model(EvaluateOptions(model="run/genotype.json"))
    assert (found.dataset, found.data_dir, found.val_share) == ("folder", "data", 0.25)


def test_own_data_that_are_given_or_gone(run):
    (run / "flags.txt").unlink()
    model = {"model": "run/genotype.json"}
    found = defaults.of_genotype(FinetuneOptions(**model, data_dir="data"))
    assert (found.dataset, found.val_share) == ("folder", 0.0)
    with pytest.raises(InputError, match="--data_dir is missing: .* the data set data"):
        defaults.of_genotype(FinetuneOptions(**model))


def test_a_measurement_is_of_the_toy_data_or_says_what_it_wants():
    found = defaults.of_data(MeasureOptions())
    assert (found.dataset, found.input_size) == ("toy_streets", (96, 160))
    assert found.skeleton(8).num_cells == 14
    assert "--num_cells=14" in flag_lines(found)
    for named in ({"dataset": "camvid"}, {"data_dir": "mine"}):
        with pytest.raises(InputError, match="--input_size is missing"):
            MeasureOptions(**named).check()
    found = defaults.of_data(MeasureOptions(data_dir="mine", input_size=(32, 32)))
    assert (found.dataset, found.input_size) == ("folder", (32, 32))


@pytest.mark.parametrize(
    "options, words",
    [
        (FinetuneOptions(model="lgcnet_canvid"), "Did you mean 'lgcnet_camvid'?"),
        (EvaluateOptions(model=__file__), "no such model"),
        (SearchOptions(dataset="cityscape"), "Did you mean 'cityscapes'?"),
        (SearchOptions(data_dir="no/such"), "--data_dir=no/such: no such folder"),
        (SearchOptions(latency_table="no/such"), "--latency_table=no/such: no such"),
        (FinetuneOptions(initial_model="no/such"), "--initial_model=no/such: no such"),
    ],
)
def test_what_is_not_there_is_told_first(options, words):
    with pytest.raises(InputError) as caught:
        check_given(options)
        defaults.of_model(options)
    assert words in str(caught.value)
    check_given(FinetuneOptions(model=ZOO_MODEL, initial_model=ZOO_MODEL))


def test_the_folder_of_a_run_is_no_model_but_names_those_in_it(tmp_path):
    for name in ("genotype.json", "best.keras", "results.json"):
        (tmp_path / name).write_text("{}")
    with pytest.raises(InputError) as caught:
        defaults.of_genotype(FinetuneOptions(model=str(tmp_path)))
    assert str(caught.value) == (
        f"--model={tmp_path}: the folder of a run; name a file in it: "
        f"{tmp_path}/best.keras or {tmp_path}/genotype.json."
    )
