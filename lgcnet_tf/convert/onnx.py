"""Layers as ONNX graphs, and how large a graph is."""

import dataclasses
import logging
import math
import os
from collections.abc import Iterator

import keras
import numpy as np

from lgcnet_tf.convert.packages import import_package
from lgcnet_tf.convert.quiet import quiet
from lgcnet_tf.errors import InputError

OPSET = 17
IMAGES, MAPS, MASK = "images", "maps", "mask"
_USER = "conversion to ONNX"


def to_onnx(
    layer: keras.layers.Layer,
    input_shape: tuple[int, ...],
    input_dtype: str = "uint8",
) -> bytes:
    """Converts a layer or model with one input and one output.

    Images (uint8) come in as (batch, height, width, 3). Maps of features
    (float) come in and go out as (batch, channels, height, width), the order in
    which ONNX computes: the transposition of a single operation's maps, which
    a network does not have, would take longer than many an operation.

    Args:
        layer, input_shape, input_dtype: as for `graph.layer_function`.

    Returns:
        The serialised graph; its output is `mask` for images.

    Raises:
        InputError: tf2onnx is not installed, or Keras is not on TensorFlow.
    """
    onnx = import_package("onnx", _USER)
    tf2onnx = _tf2onnx()
    from lgcnet_tf.convert.graph import layer_function

    maps = np.dtype(input_dtype).kind == "f"
    name, output = (MAPS, "output") if maps else (IMAGES, MASK)
    function = layer_function(layer, input_shape, input_dtype, output=output, name=name)
    concrete = function.get_concrete_function()
    (y,) = concrete.outputs
    orders = {}
    if maps and len(input_shape) == 4:
        orders["inputs_as_nchw"] = [concrete.inputs[0].name]
        if y.shape.rank == 4:
            orders["outputs_as_nchw"] = [y.name]
    with quiet():
        model, _ = tf2onnx.convert.from_function(
            function, function.input_signature, opset=OPSET, **orders
        )
    _exact_sizes(onnx, model)
    drop_unused(model.graph)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def to_half(model: bytes) -> bytes:
    """The graph in float16: weights, activations, and maps that go in and out.

    Resizing stays in float32.

    Raises:
        InputError: ONNX Runtime, whose tool this is, is not installed.
    """
    onnx = import_package("onnx", "float16")
    tool = import_package("onnxruntime.transformers.float16", "float16")
    with quiet():
        graph = tool.convert_float_to_float16(onnx.load_from_string(model))
    drop_unused(graph.graph)
    return graph.SerializeToString()


def drop_unused(graph) -> None:
    """Takes away the constants that no node reads, of which ONNX Runtime warns."""
    read = {output.name for output in graph.output} | set(_read_by(graph.node))
    kept = [tensor for tensor in graph.initializer if tensor.name in read]
    if len(kept) < len(graph.initializer):
        del graph.initializer[:]
        graph.initializer.extend(kept)


def _read_by(nodes) -> Iterator[str]:
    """Names that nodes read, and those of the graphs in them."""
    for node in nodes:
        yield from node.input
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                yield from _read_by(inner.node)
                yield from (output.name for output in inner.output)


@dataclasses.dataclass(frozen=True)
class GraphSize:
    """Input and size of a graph that may come from anywhere.

    Attributes:
        input_shape: of the first input, None for what is not fixed.
        input_dtype: NumPy's name of its type.
        params: numbers in the graph's weights.
        macs: multiply-accumulates of the convolutions for one image; None where
            a shape is not fixed.
    """

    input_shape: tuple[int | None, ...]
    input_dtype: str
    params: int
    macs: int | None


def graph_size(path: str | os.PathLike) -> GraphSize:
    """Reads an ONNX file.

    Raises:
        InputError: it is damaged, or no ONNX file.
    """
    onnx = import_package("onnx", f"{path}")
    try:
        model = onnx.load(os.fspath(path))
        model = onnx.shape_inference.infer_shapes(model, data_prop=True)
        first = model.graph.input[0]
    except Exception as error:  # protobuf's, ONNX's and the file system's
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{path}: not an ONNX file: {reason}") from None
    weights = {
        tensor.name: tuple(tensor.dims)
        for tensor in model.graph.initializer
        if tensor.data_type != onnx.TensorProto.INT64  # shapes and the like
    }
    kind = onnx.helper.tensor_dtype_to_np_dtype(first.type.tensor_type.elem_type)
    return GraphSize(
        _dims(first),
        np.dtype(kind).name,
        sum(math.prod(dims) for dims in weights.values()),
        _count_macs(model, weights),
    )


def _count_macs(model, weights):
    graph = model.graph
    known = {v.name: _dims(v) for v in (*graph.input, *graph.value_info, *graph.output)}
    through = {
        node.output[0]: node.input[0]
        for node in graph.node
        if node.op_type == "DequantizeLinear"
    }
    total = 0
    for node in graph.node:
        if node.op_type not in ("Conv", "ConvTranspose"):
            continue
        transposed = node.op_type == "ConvTranspose"
        kernel = weights.get(through.get(node.input[1], node.input[1]))
        positions = known.get(node.input[0] if transposed else node.output[0])
        if kernel is None or positions is None or None in positions[2:]:
            return None
        total += math.prod(positions[2:]) * math.prod(kernel)
    return total


def _dims(value):
    return tuple(
        d.dim_value if d.HasField("dim_value") else None
        for d in value.type.tensor_type.shape.dim
    )


def _exact_sizes(onnx, model):
    """Gives each Resize its output's size.

    tf2onnx gives the quotient of the sizes, rounded: 5 times 23/5 then comes
    out as 22.
    """
    constants = {t.name: t for t in model.graph.initializer}
    for index, node in enumerate(model.graph.node):
        if node.op_type != "Resize" or not node.input[2]:
            continue
        # Only once the sizes of those before are right are its own known.
        inferred = onnx.shape_inference.infer_shapes(model, data_prop=True)
        values = (*inferred.graph.input, *inferred.graph.value_info)
        shapes = {value.name: _dims(value) for value in values}
        scales = onnx.numpy_helper.to_array(constants[node.input[2]])
        sizes = [round(float(d * s)) for d, s in zip(shapes[node.input[0]], scales)]
        name = f"{node.name}_sizes_{index}"
        tensor = onnx.numpy_helper.from_array(np.array(sizes, np.int64), name)
        model.graph.initializer.append(tensor)
        node.input[2] = ""
        node.input.append(name)


def _tf2onnx():
    tf2onnx = import_package("tf2onnx", _USER)
    from keras.src.export.tf2onnx_lib import patch_tf2onnx

    with quiet():  # the patch looks for a name that NumPy dropped
        patch_tf2onnx()
    logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)
    # Set to anything, it keeps tf2onnx from copying the graph before each pass.
    os.environ.setdefault("TF2ONNX_CATCH_ERRORS", "FALSE")
    return tf2onnx
