import dataclasses
import json

import numpy as np
import pytest

from lgcnet_tf.data import DatasetInfo
from lgcnet_tf.errors import InputError
from lgcnet_tf.space.genotype import (
    Genotype,
    operation_counts,
    random_genotype,
    uniform,
)
from lgcnet_tf.space.skeleton import Skeleton


@pytest.fixture
def genotype():
    return random_genotype(Skeleton(), np.random.default_rng(0))


def test_survives_write_and_read(genotype, tmp_path):
    provenance = {"dataset": "camvid", "input_size": [360, 480], "λ": 0.005}
    genotype = Genotype(genotype.skeleton, genotype.cells, genotype.fusion, provenance)
    genotype.save(tmp_path / "genotype.json")
    loaded = Genotype.load(tmp_path / "genotype.json")
    assert loaded == genotype
    assert loaded.provenance == provenance
    assert [p.name for p in tmp_path.iterdir()] == ["genotype.json"]


@pytest.mark.parametrize("size, there", [((360, 480), True), ((480, 640), False)])
def test_a_predicted_latency_is_of_one_size(genotype, size, there):
    provenance = {"seed": 3, "input_size": [360, 480], "predicted_latency_ms": 12.5}
    genotype = dataclasses.replace(genotype, provenance=provenance)
    found = genotype.for_size(size).provenance
    assert found["seed"] == 3 and found["input_size"] == list(size)
    assert ("predicted_latency_ms" in found) == there
    assert genotype.provenance is provenance and len(provenance) == 3


def test_a_network_found_for_no_size_is_for_any(genotype):
    assert genotype.for_size((48, 64)) is genotype


INFO = DatasetInfo.of("warehouse", {"floor": (60, 60, 60), "robot": (30, 30, 200)})


def test_classes_survive_write_and_read(tmp_path):
    made = random_genotype(Skeleton(num_classes=2), np.random.default_rng(0))
    dataclasses.replace(made, classes=INFO).save(tmp_path / "g.json")
    found = Genotype.load(tmp_path / "g.json")
    assert found == made and found.classes.name == "warehouse"
    assert found.classes.class_names == ("floor", "robot")
    np.testing.assert_array_equal(found.classes.palette, INFO.palette)


def test_as_many_classes_as_the_skeleton_has():
    with pytest.raises(InputError, match="names 2 classes; its skeleton has 19"):
        dataclasses.replace(uniform(Skeleton(), "none"), classes=INFO)


@pytest.mark.parametrize(
    "provenance, expected",
    [
        ({"dataset": "camvid"}, "camvid"),
        ({"dataset": "toy_streets"}, None),  # of 8 classes
        ({"dataset": "warehouse"}, None),
        ({"dataset": "toy_streets", "trained_on": [{"dataset": "camvid"}]}, "camvid"),
        ({"dataset": "folder"}, None),
        ({}, None),
    ],
)
def test_format_1_is_read_with_the_classes_of_its_data_set(provenance, expected):
    config = uniform(Skeleton(num_classes=11), "none").to_dict()
    del config["classes"]
    config |= {"format_version": 1, "provenance": provenance}
    found = Genotype.from_dict(json.loads(json.dumps(config))).classes
    assert (found and found.name) == expected


@pytest.mark.parametrize(
    "classes, message",
    [
        (
            {"dataset": "a", "names": ["b"], "colors": [[1, 2, 300]], "void": 255},
            "must",
        ),
        ({"names": ["b"]}, "must be an object with dataset, names, colors"),
        (INFO.to_dict(), "names 2 classes; its skeleton has 19"),
    ],
)
def test_malformed_classes(classes, message):
    config = uniform(Skeleton(), "none").to_dict() | {"classes": classes}
    with pytest.raises(InputError, match=f"genotype: .*{message}"):
        Genotype.from_dict(config)


def test_without_fusion_cell_survives_too(tmp_path):
    genotype = uniform(Skeleton(fusion="none"), "skip_connect")
    assert genotype.fusion == {}
    genotype.save(tmp_path / "g.json")
    assert Genotype.load(tmp_path / "g.json") == genotype


def test_file_names_every_edge(genotype):
    config = genotype.to_dict()
    assert config["format_version"] == 2
    assert len(config["cells"]) == 14
    assert tuple(config["cells"][3]) == (
        "s0->n0",
        "s1->n0",
        "s0->n1",
        "s1->n1",
        "n0->n1",
    )
    assert len(config["fusion"]) == 13
    assert config["cells"][3]["s0->n1"] == genotype.cells[3][2]


def _set(*keys_and_value):
    *keys, last, value = keys_and_value

    def change(config):
        for key in keys:
            config = config[key]
        config[last] = value

    return change


def _remove(*keys):
    *keys, last = keys

    def change(config):
        for key in keys:
            config = config[key]
        del config[last]

    return change


@pytest.mark.parametrize(
    "change, parts",
    [
        (_set("cells", 3, "s0->n1", "conv_9x9"), ("cell 3", "s0->n1", "conv_9x9")),
        (_set("cells", 3, "s0->n1", None), ("cell 3", "s0->n1", "None")),
        (_set("cells", 3, "s0->n1", ["none"]), ("cell 3", "s0->n1")),
        (_set("cells", 3, "s0->n1", "conv_1x1"), ("cell 3", "conv_1x1")),
        (_remove("cells", 5, "n0->n1"), ("cell 5", "lacks", "n0->n1")),
        (_set("cells", 2, "n1->n0", "none"), ("cell 2", "unknown edge", "n1->n0")),
        (_set("cells", 4, ["none"] * 5), ("cell 4",)),
        (_remove("cells", 13), ("14 cells", "13")),
        (_set("cells", {}), ("cells",)),
        (_remove("cells"), ("cells",)),
        (_set("fusion", "P16->Q16", "none"), ("fusion cell", "P16->Q16", "none")),
        (_set("fusion", "Q16->R16", "conv_3x3"), ("fusion cell", "Q16->R16")),
        (_remove("fusion", "P4->Q4"), ("fusion cell", "lacks", "P4->Q4")),
        (_set("fusion", "P4->P8", "bilinear"), ("fusion cell", "P4->P8")),
        (_set("format_version", 3), ("version 3", "versions 1 and 2")),
        (_set("format_version", "1.0"), ("version '1.0'",)),
        (_remove("format_version"), ("format_version",)),
        (_remove("skeleton"), ("skeleton",)),
        (_set("skeleton", "num_cells", 0), ("skeleton", "num_cells")),
        (_set("skeleton", "fusion_taps", 7), ("skeleton", "fusion_taps")),
        (_set("skeleton", "fusion_taps", [0, "7", 13]), ("skeleton", "fusion_taps")),
        (_remove("skeleton", "fusion"), ("skeleton", "fusion")),
        (_set("provenance", [1]), ("provenance",)),
        (_set("provenance", {"input_size": "97x161"}), ("input_size",)),
        (_set("provenance", {"input_size": [97]}), ("input_size",)),
    ],
)
def test_bad_content_is_one_line_with_file_and_place(genotype, tmp_path, change, parts):
    config = genotype.to_dict()
    change(config)
    path = tmp_path / "bad.json"
    path.write_text(json.dumps(config))
    with pytest.raises(InputError) as error:
        Genotype.load(path)
    message = str(error.value)
    assert "\n" not in message
    for part in (str(path), *parts):
        assert part in message


@pytest.mark.parametrize(
    "content",
    [b"{", b"", b"\xff\xfe\x00", b"[]", b"null", b"12", b'"genotype"'],
)
def test_no_genotype_at_all(tmp_path, content):
    path = tmp_path / "bad.json"
    path.write_bytes(content)
    with pytest.raises(InputError) as error:
        Genotype.load(path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)


def test_absent_file_and_folder(tmp_path):
    for path in (tmp_path / "absent.json", tmp_path):
        with pytest.raises(InputError, match=str(path)):
            Genotype.load(path)


@pytest.mark.parametrize("edges", [4, 6])
def test_a_cell_has_five_edges(edges):
    skeleton = Skeleton()
    cells = (("none",) * 5,) * 13 + (("none",) * edges,)
    with pytest.raises(InputError, match="cell 13"):
        Genotype(skeleton, cells, uniform(skeleton, "none").fusion)


def test_uniform_counts():
    genotype = uniform(Skeleton(), "conv_3x3")
    assert operation_counts(genotype) == {"conv_3x3": 70}
    assert set(genotype.fusion.values()) == {"conv_3x3", "deconv_3x3"}


def test_random_draws_every_candidate_and_follows_the_seed():
    draw = lambda seed: random_genotype(Skeleton(), np.random.default_rng(seed))
    assert draw(1) == draw(1)
    assert draw(1) != draw(2)
    seen = set()
    for seed in range(8):
        seen |= set(operation_counts(draw(seed)))
    assert len(seen) == 8
