import numpy as np
import pytest

from lgcnet_tf.convert.onnx import drop_unused, graph_size, to_half, to_onnx
from lgcnet_tf.convert.onnx_int8 import quantize
from lgcnet_tf.errors import InputError
from lgcnet_tf.evaluation.macs import count_macs
from lgcnet_tf.latency.measure import build_workload
from lgcnet_tf.latency.table import timed
from lgcnet_tf.model.class_map import ClassMap

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")


def run(model, x):
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    (y,) = session.run(None, {session.get_inputs()[0].name: x})
    return y


def one_of_each(small_skeleton):
    """A workload of every operation, at sizes that 2 does not divide."""
    found = {}
    for fusion in ("dense", "aspp", "ppm"):
        changes = {} if fusion == "dense" else {"fusion": fusion, "fusion_taps": (4,)}
        for work in timed(small_skeleton(**changes), (74, 90)):
            found.setdefault((work.operation, work.stride), work)
    return list(found.values())


def test_every_operation(small_skeleton):
    generator = np.random.default_rng(0)
    work = one_of_each(small_skeleton)
    assert len(work) > 25
    for workload in work:
        layer = build_workload(workload)
        x = generator.standard_normal((2, *workload.input_shape), "float32")
        model = to_onnx(layer, x.shape, "float32")
        y = run(model, x.transpose(0, 3, 1, 2)).transpose(0, 2, 3, 1)
        np.testing.assert_allclose(
            y, np.asarray(layer(x)), atol=1e-4, rtol=1e-4, err_msg=workload.key
        )


def test_maps_are_not_transposed(small_skeleton):
    (workload, *_) = [
        w for w in one_of_each(small_skeleton) if w.operation == "conv_3x3"
    ]
    shape = (1, *workload.input_shape)
    model = onnx.load_from_string(to_onnx(build_workload(workload), shape, "float32"))
    assert [node.op_type for node in model.graph.node] == ["Relu", "Conv"]


SHAPE = (2, 33, 65, 3)


@pytest.fixture(scope="module")
def graphs(deployed):
    """The network's graphs that end in logits and in classes."""
    return to_onnx(deployed, SHAPE), to_onnx(ClassMap(deployed), SHAPE)


def test_network(deployed, graphs, images):
    x = images(33, 65, batch=2)
    logits = np.asarray(deployed(x))
    np.testing.assert_allclose(run(graphs[0], x), logits, atol=1e-4)
    mask = run(graphs[1], x)
    assert mask.dtype == np.uint8
    np.testing.assert_array_equal(mask, logits.argmax(-1))


def test_no_constant_is_left_over(deployed, images):
    """ONNX Runtime warns of each; a Resize's sizes have taken its scales' place."""
    x = images(33, 65)
    found = to_onnx(ClassMap(deployed), x.shape)
    half, rounded = to_half(found), quantize(found, [x])
    for content in (found, half, rounded):
        graph = onnx.load_from_string(content).graph
        read = {name for node in graph.node for name in node.input}
        assert {tensor.name for tensor in graph.initializer} <= read
    model = onnx.load_from_string(found)
    more = onnx.numpy_helper.from_array(np.zeros(3, np.float32), "more")
    model.graph.initializer.append(more)
    before = run(model.SerializeToString(), x)
    drop_unused(model.graph)
    assert model.SerializeToString() == found
    np.testing.assert_array_equal(run(found, x), before)


def test_half_precision(deployed, graphs, images):
    x = images(33, 65, batch=2)
    y = run(to_half(graphs[0]), x)
    logits = np.asarray(deployed(x))
    assert 1e-5 < np.abs(y - logits).max() < 0.05 * np.abs(logits).max()
    mask = run(to_half(graphs[1]), x)
    assert (mask == logits.argmax(-1)).mean() > 0.95


def test_size_of_a_graph(deployed, graphs, tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(graphs[1])
    size = graph_size(path)
    assert size.input_shape == (2, 33, 65, 3) and size.input_dtype == "uint8"
    assert size.macs == count_macs(deployed)
    # Besides the weights, numbers like those that bring pixels to -1…1.
    assert deployed.count_params() <= size.params <= deployed.count_params() + 64


@pytest.mark.parametrize("content", [b"", b"no protobuf at all"])
def test_no_graph(tmp_path, content):
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(InputError, match="model.onnx: not an ONNX file"):
        graph_size(path)
