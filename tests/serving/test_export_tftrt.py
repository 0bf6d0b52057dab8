"""What is written for TF-TRT's converter."""

import json
import subprocess
import sys

import keras
import numpy as np
import pytest
from tensorflow.core.protobuf import saved_model_pb2

from lgcnet_tf.convert.dilated import SPACE_TO_BATCH
from lgcnet_tf.errors import InputError
from lgcnet_tf.serving.export_tftrt import export_tftrt
from lgcnet_tf.serving.limits import Limits
from lgcnet_tf.serving.servable import Servable

SIZE = (24, 40)


@pytest.fixture(scope="module")
def dilated():
    network = keras.Sequential(
        [
            keras.Input((*SIZE, 3), dtype="uint8"),
            keras.layers.Rescaling(1 / 127.5),
            keras.layers.DepthwiseConv2D(3, dilation_rate=2, padding="same"),
            keras.layers.Conv2D(5, 1),
        ]
    )
    network.input_size, network.num_classes = SIZE, 5
    return network


@pytest.fixture(scope="module")
def written(dilated, info, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tftrt")
    pictures = [np.full((*SIZE, 3), value, np.uint8) for value in (0, 100, 200)]
    return export_tftrt(dilated, folder, info, precision="int8", images=pictures)


def test_the_graph_has_no_space_to_batch(written):
    path = written.parent / "saved_model" / "1" / "saved_model.pb"
    graph = saved_model_pb2.SavedModel.FromString(path.read_bytes()).meta_graphs[0]
    nodes = [n for f in graph.graph_def.library.function for n in f.node_def]
    assert not [node for node in nodes if node.op in SPACE_TO_BATCH]
    found = [n for n in nodes if n.op == "DepthwiseConv2dNative"]
    assert found and all([*n.attr["dilations"].list.i] == [1, 2, 2, 1] for n in found)


def test_the_script_has_what_it_takes(written):
    folder = written.parent
    settings = json.loads((folder / "settings.json").read_text())
    assert settings == {"precision": "INT8", "batch_size": 1}
    images = np.load(folder / "images.npy")
    assert images.shape[1:] == (*SIZE, 3) and images.dtype == np.uint8
    assert set(np.unique(images)) == {0, 100, 200}


def test_the_script_refuses_a_tensorflow_without_converter(written, tmp_path):
    done = subprocess.run(
        [sys.executable, written, tmp_path / "out"], capture_output=True, text=True
    )
    assert done.returncode == 1 and not (tmp_path / "out").exists()
    assert "finds no TensorRT; 2.17 was the last" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_it_is_refused_where_it_cannot_be_served(written):
    folder = written.parent / "saved_model" / "1"
    with pytest.raises(InputError, match="made for TF-TRT; convert it with"):
        Servable("lgcnet", 1, folder, Limits())


def test_refusals(written, dilated, info, tmp_path):
    with pytest.raises(InputError, match="convert.py: exists already"):
        export_tftrt(dilated, written.parent, info)
    with pytest.raises(InputError, match="int8 needs images"):
        export_tftrt(dilated, tmp_path / "a", info, precision="int8")
    with pytest.raises(InputError, match="computes in float32 or float16 or int8"):
        export_tftrt(dilated, tmp_path / "a", info, precision="bfloat16")
    assert not (tmp_path / "a").exists()
