import dataclasses
import shutil

import keras
import numpy as np
import pytest
from keras import ops

from lgcnet_tf.errors import InputError
from lgcnet_tf.model import zoo
from lgcnet_tf.model.network import Network
from lgcnet_tf.space import uniform

SIZE = (32, 48)


@pytest.fixture(scope="module")
def skeleton(small_skeleton):
    return small_skeleton(
        num_cells=2, reduction_cells=(1,), fusion="none", fusion_taps=()
    )


@pytest.fixture(scope="module")
def genotype(skeleton):
    plain = uniform(skeleton, "sep_conv_3x3")
    return dataclasses.replace(plain, provenance={"input_size": list(SIZE)})


@pytest.fixture(scope="module")
def network(genotype, randomise):
    return randomise(Network(genotype.skeleton, SIZE, genotype))


@pytest.fixture(scope="module")
def saved(genotype, network, tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved")
    genotype.save(folder / "genotype.json")
    network.save(folder / "model.keras")
    return folder


@pytest.fixture
def entry(saved, tmp_path, monkeypatch):
    """A zoo of one model, `lgcnet_small`; its folder."""
    folder = tmp_path / "zoo" / "lgcnet_small"
    shutil.copytree(saved, folder)
    (folder.parent / "unfinished").mkdir()
    monkeypatch.setattr(zoo, "ZOO", folder.parent)
    return folder


def test_by_name_or_by_file(entry, network, images):
    assert zoo.zoo_names() == ("lgcnet_small",)
    x = images(*SIZE)
    expected = ops.convert_to_numpy(network(x))
    for model in ("lgcnet_small", entry / "model.keras", str(entry / "model.keras")):
        loaded = zoo.load_network(model)
        assert loaded.input_size == SIZE
        np.testing.assert_allclose(ops.convert_to_numpy(loaded(x)), expected, atol=1e-6)


def test_at_another_size(entry, network):
    loaded = zoo.load_network("lgcnet_small", (40, 33))
    assert loaded.input_size == (40, 33)
    for mine, theirs in zip(loaded.get_weights(), network.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_genotype_of_every_form(entry, genotype):
    for model in ("lgcnet_small", entry / "genotype.json", entry / "model.keras"):
        assert zoo.load_genotype(model) == genotype


def test_network_of_a_genotype_has_random_weights(entry):
    assert zoo.load_network(entry / "genotype.json").input_size == SIZE
    assert zoo.load_network(entry / "genotype.json", (64, 33)).input_size == (64, 33)


def test_genotype_without_a_size_needs_one(skeleton, tmp_path):
    path = tmp_path / "g.json"
    uniform(skeleton, "skip_connect").save(path)
    with pytest.raises(InputError, match="--input_size"):
        zoo.load_network(path)
    assert zoo.load_network(path, SIZE).input_size == SIZE


@pytest.mark.parametrize("load", [zoo.load_network, zoo.load_genotype])
def test_no_such_model(load, tmp_path):
    for model in ("lgcnet_of_nowhere", tmp_path / "absent.keras", tmp_path):
        with pytest.raises(InputError, match="no such model") as error:
            load(model)
        assert str(model) in str(error.value)
    with pytest.raises(InputError, match="--model is missing"):
        load("")


def _truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _scribble(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 2000] = bytes(2000)
    path.write_bytes(content)


@pytest.mark.parametrize(
    "damage",
    [_truncate, _scribble, lambda p: p.write_bytes(b""), lambda p: p.write_text("{}")],
)
def test_damaged_file_is_one_line_with_its_name(damage, entry):
    path = entry / "model.keras"
    damage(path)
    for load in (zoo.load_network, zoo.load_genotype):
        with pytest.raises(InputError) as error:
            load(path)
        message = str(error.value)
        assert str(path) in message and "\n" not in message


def test_damaged_genotype(entry):
    (entry / "genotype.json").write_text('{"format_version": 1')
    with pytest.raises(InputError, match="genotype.json"):
        zoo.load_genotype("lgcnet_small")


def test_a_keras_model_of_another_kind(tmp_path):
    path = tmp_path / "other.keras"
    keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]).save(path)
    with pytest.raises(InputError, match="not a network derived"):
        zoo.load_network(path)


def test_a_supernet_is_no_derived_network(skeleton, tmp_path):
    Network(skeleton, (16, 16)).save(tmp_path / "supernet.keras")
    with pytest.raises(InputError, match="not a network derived"):
        zoo.load_network(tmp_path / "supernet.keras")


@pytest.mark.parametrize("name", zoo.zoo_names())
def test_models_that_come_with_the_package(name):
    assert zoo.load_network(name).genotype == zoo.load_genotype(name)
