"""Teachers of every kind, against the same numbers computed in NumPy."""

import keras
import numpy as np
import pytest
from keras import ops

from lgcnet_tf.errors import InputError
from lgcnet_tf.model.network import Network
from lgcnet_tf.model.sizes import at_size
from lgcnet_tf.space.genotype import random_genotype
from lgcnet_tf.training.teacher import Teachers, load_teacher, teacher_inputs

SIZE = (16, 24)
KERNEL = np.random.default_rng(5).normal(scale=0.01, size=(3, 4)).astype("float32")


def softmax(x):
    exponents = np.exp(x - x.max(-1, keepdims=True))
    return exponents / exponents.sum(-1, keepdims=True)


@pytest.fixture(scope="module")
def network_file(small_skeleton, randomise, tmp_path_factory):
    skeleton = small_skeleton(
        num_classes=4,
        num_cells=2,
        reduction_cells=(1,),
        fusion="cas",
        fusion_taps=(0, 1),
    )
    genotype = random_genotype(skeleton, np.random.default_rng(3))
    path = tmp_path_factory.mktemp("teacher") / "model.keras"
    randomise(Network(skeleton, (32, 64), genotype)).save(path)
    return path


def keras_file(path, size=(None, None), classes=4):
    """A model that is none of this package: one 1×1 convolution."""
    model = keras.Sequential(
        [
            keras.Input((*size, 3)),
            keras.layers.Conv2D(classes, 1, use_bias=False, name="conv"),
        ]
    )
    model.set_weights([KERNEL[None, None, :, :classes]])
    model.save(path)
    return str(path)


def onnx_file(path, batch="n", size=("h", "w"), first=True, output="logits"):
    """The same as an ONNX model, with its channels first or last."""
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper, numpy_helper

    nodes, x = [], "images"
    if not first:
        nodes.append(helper.make_node("Transpose", [x], ["x"], perm=[0, 3, 1, 2]))
        x = "x"
    kernel = numpy_helper.from_array(KERNEL.T[:, :, None, None].copy(), "kernel")
    nodes.append(helper.make_node("Conv", [x, "kernel"], ["y"]))
    if not first:
        nodes.append(helper.make_node("Transpose", ["y"], ["z"], perm=[0, 2, 3, 1]))
    last = nodes[-1].output[0]
    axis = 1 if first else 3
    shape = lambda count: [batch, count, *size] if first else [batch, *size, count]
    wanted = shape(4)
    if output == "mask":
        nodes.append(helper.make_node("ArgMax", [last], ["m"], axis=axis, keepdims=0))
        last, wanted = "m", [batch, *size]
    kind = TensorProto.INT64 if output == "mask" else TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "teacher",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, shape(3))],
        [helper.make_tensor_value_info(last, kind, wanted)],
        [kernel],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.save(model, path)
    return str(path)


def test_a_network_labels_crops_of_any_size(network_file, images):
    batch = images(*SIZE, batch=2)
    teachers = Teachers([str(network_file)], 4, [(32, 64), SIZE], temperature=3.0)
    network = at_size(keras.saving.load_model(network_file), SIZE)
    logits = ops.convert_to_numpy(network(batch)).astype("float64")
    np.testing.assert_allclose(teachers(batch), softmax(logits / 3.0), atol=1e-4)
    assert teachers(images(32, 64)).shape == (1, 32, 64, 4)


def test_several_are_averaged_whatever_their_kind(network_file, images, tmp_path):
    pytest.importorskip("onnxruntime")
    batch = images(*SIZE, batch=3)
    names = [
        str(network_file),
        keras_file(tmp_path / "other.keras"),
        onnx_file(tmp_path / "first.onnx"),
        onnx_file(tmp_path / "one.onnx", batch=1, size=SIZE),
        onnx_file(tmp_path / "last.onnx", first=False),
    ]
    alone = Teachers(names[:1], 4, [SIZE])(batch)
    linear = softmax(batch.astype("float64") @ KERNEL.astype("float64"))
    expected = (np.asarray(alone, "float64") + 4 * linear) / 5
    found = Teachers(names, 4, [SIZE])(batch)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert len(teacher_inputs(names)["--teacher"]) == 5
    assert teacher_inputs(()) == {}


def test_an_onnx_model_inside_of_a_graph(images, tmp_path):
    if keras.backend.backend() != "tensorflow":
        pytest.skip("needs TensorFlow")
    import tensorflow as tf

    teachers = Teachers([onnx_file(tmp_path / "first.onnx")], 4, [SIZE])
    batch = images(*SIZE, batch=2)
    compiled = tf.function(teachers)
    np.testing.assert_allclose(compiled(tf.constant(batch)), teachers(batch), atol=1e-6)


def refuse(name, match, classes=4, size=SIZE):
    with pytest.raises(InputError, match=match) as error:
        load_teacher(str(name), classes, size)
    assert "\n" not in str(error.value)
    assert str(error.value).startswith("--teacher")


def test_bad_teachers(network_file, tmp_path):
    pytest.importorskip("onnxruntime")
    refuse("no_such", "no_such: no such network; give a .keras or .onnx")
    refuse("", "an empty name: no such network")
    refuse(network_file, "tells 4 classes apart, the training data have 8", classes=8)
    other = keras_file(tmp_path / "fixed.keras", (32, 64))
    refuse(other, "takes images of 32x64, crops are 16x24; give such a --crop_size")
    refuse(other, "tells 4 classes apart, the training data have 3", classes=3)
    refuse(onnx_file(tmp_path / "fixed.onnx", 1, (8, 8)), "takes images of 8x8, crops")
    refuse(onnx_file(tmp_path / "a.onnx"), "tells .* classes apart", classes=3)
    refuse(onnx_file(tmp_path / "m.onnx", output="mask"), "gives no logit for each")
    (tmp_path / "damaged.onnx").write_bytes(b"not a model")
    refuse(tmp_path / "damaged.onnx", "damaged.onnx: ")
    (tmp_path / "damaged.keras").write_bytes(b"not a model")
    refuse(tmp_path / "damaged.keras", "damaged.keras: not a saved network")
