import json

import numpy as np
import pytest

from lgcnet_tf.data import dataset_info
from lgcnet_tf.errors import InputError
from lgcnet_tf.serving.commands import ExportOptions, export
from lgcnet_tf.serving.export_files import FORMATS, export_file


class Network:
    """Stands where nothing may be converted any more."""

    input_size = (8, 8)


def test_card_beside_the_file(exported_files):
    for name, path in exported_files.items():
        card = json.loads(path.with_suffix(".json").read_text())
        assert card["class_names"] == list(dataset_info("toy_streets").class_names)
        assert card["input_size"] == [32, 64] and card["batch_size"] == 2
        assert card["metadata"] == {"params": 7}
        suffixes = {".json", path.suffix} | ({".bin"} if name == "openvino" else set())
        assert {p.suffix for p in path.parent.iterdir()} == suffixes


@pytest.mark.parametrize("name", FORMATS)
def test_no_file_is_overwritten(name, exported_files):
    path = exported_files[name]
    before = path.read_bytes()
    with pytest.raises(InputError, match=f"{path.name}: exists already"):
        export_file(Network(), path.parent, dataset_info("toy_streets"), name)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"format": "onnx", "scores": True}, "for --format=saved_model"),
        ({"format": "litert", "version": 3}, "for --format=saved_model"),
        ({"batch_size": 2}, "a SavedModel takes any batch"),
        ({"format": "torch"}, "--format must be one of saved_model, onnx"),
    ],
)
def test_options_that_do_nothing_are_refused(wrong, message):
    with pytest.raises(InputError, match=message):
        export(ExportOptions(model="lgcnet_camvid", **wrong))


@pytest.fixture(scope="module")
def exported_files(small_skeleton, tmp_path_factory):
    for package in ("onnxruntime", "openvino", "ai_edge_litert", "tf2onnx"):
        pytest.importorskip(package)
    from lgcnet_tf.model.network import Network
    from lgcnet_tf.space.genotype import random_genotype

    genotype = random_genotype(small_skeleton(), np.random.default_rng(1))
    network = Network(genotype.skeleton, (32, 64), genotype, "folded")
    root, info = tmp_path_factory.mktemp("files"), dataset_info("toy_streets")
    return {
        name: export_file(network, root / name, info, name, 2, {"params": 7})
        for name in FORMATS
    }
