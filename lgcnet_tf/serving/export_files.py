"""Writes a network as a file of another library: ONNX, OpenVINO, LiteRT."""

import os
import pathlib
import tempfile
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from lgcnet_tf.convert.litert import to_litert
from lgcnet_tf.convert.onnx import to_onnx
from lgcnet_tf.convert.packages import import_package
from lgcnet_tf.data import DatasetInfo
from lgcnet_tf.errors import InputError
from lgcnet_tf.files import atomic_write, write_json
from lgcnet_tf.latency.runtimes import Runtime, get_runtime
from lgcnet_tf.model.network import ClassMap
from lgcnet_tf.serving.export import info_values

FORMATS = ("onnx", "openvino", "litert")
_RUNTIMES = {"onnx": "onnxruntime", "openvino": "openvino", "litert": "litert"}
_NAMES = {"onnx": "model.onnx", "openvino": "model.xml", "litert": "model.tflite"}


def export_file(
    network: keras.Model,
    output_dir: str | os.PathLike,
    info: DatasetInfo,
    format: str,
    batch_size: int = 1,
    metadata: dict[str, Any] | None = None,
    precision: str = "float32",
    images: Sequence[np.ndarray] = (),
) -> pathlib.Path:
    """Writes `model.onnx`, `model.xml` with `model.bin`, or `model.tflite`.

    Its input is uint8 RGB images (batch, height, width, 3), its output uint8
    masks (batch, height, width). `model.json` beside it holds class names,
    palette, input size and `metadata`.

    Args:
        network: best in its deployed form; has `input_size`.
        output_dir: the folder.
        info: names and colours of the classes.
        format: one of `FORMATS`.
        batch_size: the batch that the file takes.
        metadata: what else to keep in `model.json` (JSON values).
        precision: number format of the file's computation. What the format's
            runtime makes of the network is written, byte for byte.
        images: what int8 takes its ranges from, as for `get_runtime`.

    Returns:
        The file.

    Raises:
        InputError: the file is there already, a package is missing, or the
            format has no such precision.
    """
    path = pathlib.Path(output_dir, _NAMES[format])
    if path.exists():
        raise InputError(f"{path}: exists already; name another folder.")
    calibration = None
    if precision != "float32":
        runtime = runtime_of(format, precision, images)
        calibration = runtime.calibration
    layer, shape = ClassMap(network), (batch_size, *network.input_size, 3)
    if precision != "float32":
        content = runtime.convert(layer, shape, "uint8")
    else:  # needs no runtime
        content = (to_litert if format == "litert" else to_onnx)(layer, shape)
    if format != "openvino":
        _write(path, content)
    else:
        openvino = import_package("openvino", "--format=openvino")
        model = openvino.Core().read_model(content)
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".model-", dir=path.parent) as folder:
            whole = pathlib.Path(folder, path.name)
            openvino.save_model(model, whole, compress_to_fp16=False)
            # The weights first: an .xml without them would be half a model.
            for part in (whole.with_suffix(".bin"), whole):
                os.replace(part, path.parent / part.name)
    values = info_values(info, network.input_size, False, metadata or {})
    values |= {
        "batch_size": batch_size,
        "precision": precision,
        "calibration": calibration,
    }
    write_json(path.with_suffix(".json"), values)
    return path


def runtime_of(
    format: str, precision: str, images: Sequence[np.ndarray] = ()
) -> Runtime:
    """The runtime that runs a format's files, in a precision that a file can hold.

    Raises:
        InputError: it has no such precision, or takes it from a setting of its
            own instead of the file; or it cannot run here.
    """
    if format == "openvino" and precision not in ("float32", "int8"):
        raise InputError(
            f"--format=openvino: {precision} is a setting of the runtime, not of the "
            f"file; export float32 and run that with --precision={precision}."
        )
    return get_runtime(_RUNTIMES[format], None, precision, images)


def _write(path, content):
    with atomic_write(path) as temporary:
        temporary.write_bytes(content)
