"""The form whose dilated depthwise convolutions TensorRT takes."""

import collections
import os

import numpy as np
import pytest
import tensorflow as tf

from lgcnet_tf.convert.dilated import SPACE_TO_BATCH, left_out, native_dilation
from lgcnet_tf.convert.graph import frozen, layer_function
from lgcnet_tf.convert.transposed import pixel_shuffles
from lgcnet_tf.model.class_map import ClassMap

SHAPE = (1, 33, 65, 3)


def graph(layer):
    function = layer_function(layer, SHAPE, "uint8", output="mask")
    return frozen(function).graph.as_graph_def()


def kinds(graph_def):
    return collections.Counter(node.op for node in graph_def.node)


@pytest.fixture(scope="module")
def native(deployed):
    with native_dilation(deployed), pixel_shuffles(deployed):
        return graph(ClassMap(deployed))


def free_batch(layer):
    """The kinds of operations of the graph as it is exported: of any batch."""
    function = layer_function(layer, (None, *SHAPE[1:]), "uint8", output="mask")
    return kinds(frozen(function).graph.as_graph_def())


def test_nothing_of_it_leaves_the_engine_but_ends(deployed):
    usual = free_batch(ClassMap(deployed))
    assert usual["SpaceToBatchND"] and usual["BatchToSpaceND"]
    with native_dilation(deployed), pixel_shuffles(deployed):
        found = free_batch(ClassMap(deployed))
    assert not [kind for kind in SPACE_TO_BATCH if found[kind]]
    assert found["DepthwiseConv2dNative"] == usual["DepthwiseConv2dNative"]
    # Their sizes were tensors, which the converter refused.
    assert found["DepthToSpace"] == usual["Conv2DBackpropInput"] > 0
    assert not found["Shape"] and not found["Conv2DBackpropInput"]
    outside = collections.Counter(left_out(found.elements()))
    assert set(outside) == {"Cast", "ResizeBilinear"}
    before = collections.Counter(left_out(usual.elements()))
    assert set(before - outside) == {*SPACE_TO_BATCH, "Conv2DBackpropInput"}
    assert not outside - before


def test_its_masks_are_those_of_onnx(deployed, native, images):
    onnxruntime = pytest.importorskip("onnxruntime")
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("tf2onnx")
    from lgcnet_tf.convert.onnx import to_onnx

    x = images(33, 65)[:1]
    with native_dilation(deployed), pixel_shuffles(deployed):
        content = to_onnx(ClassMap(deployed), SHAPE)
    model = onnx.load_from_string(content)
    dilated = [
        node
        for node in model.graph.node
        for attribute in node.attribute
        if node.op_type == "Conv" and attribute.name == "dilations" and max(attribute.ints) > 1
    ]  # fmt: skip
    assert dilated
    providers = ["CPUExecutionProvider"]
    session = onnxruntime.InferenceSession(content, providers=providers)
    (mask,) = session.run(None, {"images": x})
    expected = np.asarray(ClassMap(deployed)(x))
    assert (mask == expected).mean() > 0.999
    run = tf.compat.v1.wrap_function(
        lambda: tf.graph_util.import_graph_def(native, name=""), []
    ).prune("images:0" if "images" in {n.name for n in native.node} else "input:0", _mask(native))  # fmt: skip
    try:
        found = np.asarray(run(tf.constant(x)))
    except tf.errors.UnimplementedError as error:
        assert os.environ.get("TF_ENABLE_ONEDNN_OPTS") != "1"
        assert "does not support dilations" in str(error)
        return
    assert (found == expected).mean() > 0.999


def _mask(graph_def):
    used = {name.split(":")[0].lstrip("^") for n in graph_def.node for name in n.input}
    (last,) = [n.name for n in graph_def.node if n.name not in used and n.op != "NoOp"]
    return f"{last}:0"


def test_layers_are_as_before_afterwards(deployed):
    with native_dilation(deployed):
        pass
    assert kinds(graph(ClassMap(deployed)))["SpaceToBatchND"]
