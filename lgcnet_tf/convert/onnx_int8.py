"""ONNX graphs with weights and activations of eight bits."""

import contextlib
import io
import os
import tempfile
from collections.abc import Iterable

import numpy as np

from lgcnet_tf.convert.packages import import_package
from lgcnet_tf.convert.quiet import quiet
from lgcnet_tf.convert.settings import CALIBRATION_METHODS

_CONVOLUTIONS = ["Conv", "ConvTranspose"]
_FIRST = ("Cast", "Mul", "Add", "Transpose")
_LAST = ("Resize", "ArgMax", "Cast", "Transpose")


def quantize(
    model: bytes,
    batches: Iterable[np.ndarray],
    symmetric: bool = False,
    method: str = CALIBRATION_METHODS[0],
) -> bytes:
    """Rounds weights and activations to 8 bits (QuantizeLinear, DequantizeLinear).

    Weights have a scale for each channel, and zero stands for zero; what
    `float_nodes` names stays as it is. One batch's activations are in memory at
    a time. But for TensorRT weights are whole numbers from -64 to 64: CPUs without a
    dot product of eight bits (VNNI) add two products in sixteen bits, and larger
    weights would overflow there.

    Args:
        model: a graph of `convert.onnx.to_onnx`.
        batches: inputs that the ranges of the activations are taken from.
        symmetric: for TensorRT, which takes neither zero points nor biases of 32
            bits: zero stands for zero in activations too, biases stay float32, and
            convolutions alone are rounded. ONNX Runtime computes the other form
            several times faster, and TensorRT refuses that.
        method: one of `CALIBRATION_METHODS`.

    Raises:
        InputError: ONNX Runtime, whose tool this is, is not installed.
    """
    onnx = import_package("onnx", "int8")
    quantization = import_package("onnxruntime.quantization", "int8")
    graph = onnx.load_from_string(model)
    kind, methods = quantization.QuantType, quantization.CalibrationMethod
    # The tool prints its progress, and warns of what `to_onnx` did already.
    silent = contextlib.redirect_stdout(io.StringIO())
    with tempfile.TemporaryDirectory() as folder, quiet(), silent:
        path = os.path.join(folder, "int8.onnx")
        quantization.quantize_static(
            graph,
            path,
            _reader(quantization, graph.graph.input[0].name, batches),
            quant_format=quantization.QuantFormat.QDQ,
            per_channel=True,
            reduce_range=not symmetric,
            op_types_to_quantize=_CONVOLUTIONS if symmetric else None,
            activation_type=kind.QInt8 if symmetric else kind.QUInt8,
            weight_type=kind.QInt8,
            nodes_to_exclude=float_nodes(graph),
            calibrate_method={
                "minmax": methods.MinMax,
                "percentile": methods.Percentile,
                "entropy": methods.Entropy,
            }[method],
            extra_options={
                "ActivationSymmetric": symmetric,
                "QuantizeBias": not symmetric,
                "CalibTensorRangeSymmetric": False,
                # Despite its name for all methods: batches between reductions.
                "CalibStridedMinMax": 1,
            },
        )
        with open(path, "rb") as file:
            return file.read()


def float_nodes(model) -> list[str]:
    """Names of the nodes of an ONNX model of images that are not quantised.

    They are what brings pixels to -1…1 before the first convolution, and the last
    resize with what follows: the largest of eight-bit logits would often be a tie.
    """
    onnx = import_package("onnx", "int8")
    source, nodes = model.graph.input[0], model.graph.node
    if source.type.tensor_type.elem_type != onnx.TensorProto.UINT8:
        return []
    found, known = [], {source.name}
    for node in nodes:
        if node.op_type in _FIRST and known & {*node.input}:
            found.append(node.name)
            known.update(node.output)
    known = {output.name for output in model.graph.output}
    for node in reversed(nodes):
        if node.op_type in _LAST and known & {*node.output}:
            found.append(node.name)
            known.update(node.input[:1])
    return found


def _reader(quantization, name, batches):
    """The batches as ONNX Runtime's tool reads them, part after part."""

    class Reader(quantization.CalibrationDataReader):
        def __init__(self):
            self.batches = list(batches)
            self.set_range(0, len(self.batches))

        def __len__(self):
            return len(self.batches)

        def set_range(self, start_index, end_index):
            self.part = iter(self.batches[start_index:end_index])

        def get_next(self):
            batch = next(self.part, None)
            return None if batch is None else {name: batch}

    return Reader()
