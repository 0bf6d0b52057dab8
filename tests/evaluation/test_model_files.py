import pathlib
import shutil

import numpy as np
import pytest

from lgcnet_tf.errors import InputError
from lgcnet_tf.evaluation.model_files import kind_of, runtime_for
from lgcnet_tf.evaluation.models import load_model
from lgcnet_tf.runtimes import get_runtime

FORMATS = ("saved_model", "onnx", "openvino", "litert")


def test_kinds(exported, trained, tmp_path):
    kinds = [kind_of(str(exported[name])) for name in FORMATS]
    assert kinds == [".pb", ".onnx", ".xml", ".tflite"]
    assert kind_of(str(trained)) is None and kind_of("lgcnet_camvid") is None
    with pytest.raises(InputError, match="absent.onnx: no such file"):
        kind_of("absent.onnx")
    with pytest.raises(InputError, match="a folder without a SavedModel"):
        kind_of(str(tmp_path))


@pytest.mark.parametrize("name", FORMATS)
def test_every_file_gives_the_masks_of_the_network(name, exported, trained, images):
    network, file = load_model(str(trained)), load_model(str(exported[name]))
    x = images(32, 64, batch=3)
    masks = file.predict_mask(x)
    assert masks.dtype == np.uint8 and masks.shape == (3, 32, 64)
    np.testing.assert_array_equal(masks, network.predict_mask(x))
    assert file.input_size == (32, 64) and file.num_classes == 8
    with pytest.raises(InputError, match="takes images of 32x64"):
        load_model(str(exported[name]), (64, 64))
    if name != "saved_model":  # has its own test of the card
        assert file.params == network.params
        assert file.genotype == network.genotype


def test_files_are_run_by_what_reads_them(exported):
    onnx, graph = (get_runtime(n) for n in ("onnxruntime", "tensorflow_graph"))
    found = {
        name: (
            runtime_for(str(exported[name]), onnx).name,
            runtime_for(str(exported[name]), graph).name,
        )
        for name in FORMATS
    }
    assert found == {
        "saved_model": ("tensorflow_graph", "tensorflow_graph"),
        "onnx": ("onnxruntime", "onnxruntime"),
        "openvino": ("openvino", "openvino"),
        "litert": ("litert", "litert"),
    }
    openvino = get_runtime("openvino")
    assert runtime_for(str(exported["onnx"]), openvino) is openvino
    assert runtime_for("lgcnet_camvid", onnx) is onnx
    compiled = load_model(str(exported["onnx"])).compile(openvino)
    assert compiled.runtime is openvino and compiled() is not None


def test_files_keep_their_precision_and_batch(exported):
    path = str(exported["onnx"])
    eight_bits = get_runtime("onnxruntime", precision="int8")
    with pytest.raises(InputError, match="leave out --precision=int8"):
        runtime_for(path, eight_bits)
    with pytest.raises(InputError, match="model.onnx: takes batches of 1"):
        load_model(path).compile(get_runtime("onnxruntime"), batch_size=2)


def test_size_of_a_graph_without_a_card(exported, trained, tmp_path):
    path = shutil.copy(exported["onnx"], tmp_path)
    network, file = load_model(str(trained)), load_model(str(path))
    assert file.macs == network.macs
    assert 0.9 * network.params < file.params < 1.1 * network.params
    assert file.num_classes is None and file.genotype is None


@pytest.mark.parametrize("suffix", [".onnx", ".tflite", ".xml"])
def test_damaged(suffix, tmp_path, exported):
    path = pathlib.Path(tmp_path, f"model{suffix}")
    path.write_bytes(b"damaged")
    with pytest.raises(InputError, match=f"model{suffix}: "):
        load_model(str(path))
