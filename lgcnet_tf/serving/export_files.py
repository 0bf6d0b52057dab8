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
from lgcnet_tf.data.geometry import DEFAULT_FIT, check_fit
from lgcnet_tf.errors import InputError
from lgcnet_tf.evaluation.model_files import card_path, is_card
from lgcnet_tf.files import atomic_write, write_json
from lgcnet_tf.model.class_map import ClassMap
from lgcnet_tf.runtimes import get_runtime
from lgcnet_tf.runtimes.base import Runtime
from lgcnet_tf.runtimes.settings import FILE_FORMATS
from lgcnet_tf.serving.export import info_values
from lgcnet_tf.serving.settings import TENSORRT


def export_file(
    network: keras.Model,
    output_dir: str | os.PathLike,
    info: DatasetInfo,
    format: str,
    batch_size: int = 1,
    metadata: dict[str, Any] | None = None,
    precision: str = "float32",
    images: Sequence[np.ndarray] = (),
    fit: str = DEFAULT_FIT,
) -> pathlib.Path:
    """Writes `model.onnx`, `model.xml` with `model.bin`, `model.tflite` or `model.engine`.

    Its input is uint8 RGB images (batch, height, width, 3), its output uint8
    masks (batch, height, width). Its card, `model.onnx.json` beside it and so on,
    holds class names, palette, input size, fit and `metadata`.

    Args:
        network: best in its deployed form; has `input_size`.
        output_dir: the folder.
        info: names and colours of the classes.
        format: one of `FORMATS`, or `TENSORRT`: an engine for this machine's GPU.
        batch_size: the batch that the file takes.
        metadata: what else to keep in the card (JSON values).
        precision: number format of the file's computation. What the format's
            runtime makes of the network is written, byte for byte.
        images: what int8 takes its ranges from, as for `get_runtime`.
        fit: how pictures of another size are brought to the file's, one of
            `geometry.FITS`.

    Returns:
        The file.

    Raises:
        InputError: a file is there already, there is no such fit, a package is
            missing, or the format has no such precision.
    """
    check_fit(fit)
    path = pathlib.Path(output_dir, FILE_FORMATS[format].file)
    card = card_path(path)
    weights = [path.with_suffix(".bin")] if format == "openvino" else []
    for one in (path, *weights, card):
        # A card without its model is what an export left that was cut off.
        if os.path.lexists(one) and not (one == card and is_card(one)):
            raise InputError(f"{one}: exists already; name another folder.")
    calibration = None
    needs_runtime = precision != "float32" or format == TENSORRT
    if needs_runtime:
        runtime = runtime_of(format, precision, images)
        calibration = runtime.calibration
    layer, shape = ClassMap(network), (batch_size, *network.input_size, 3)
    values = info_values(info, network.input_size, False, metadata or {}, fit)
    values |= {
        "batch_size": batch_size,
        "precision": precision,
        "calibration": calibration,
    }
    if needs_runtime:
        content = runtime.convert(layer, shape, "uint8")
        if format == TENSORRT:
            content = runtime.plan(content)
    else:  # needs no runtime
        content = (to_litert if format == "litert" else to_onnx)(layer, shape)
    if format != "openvino":
        write_json(card, values)
        _write(path, content)
    else:
        openvino = import_package("openvino", "--format=openvino")
        from lgcnet_tf.runtimes.device.sessions import openvino_core

        model = openvino_core().read_model(content)
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".model-", dir=path.parent) as folder:
            whole = pathlib.Path(folder, path.name)
            openvino.save_model(model, whole, compress_to_fp16=False)
            write_json(card, values)
            # The weights first: an .xml without them would be half a model.
            for part in (whole.with_suffix(".bin"), whole):
                os.replace(part, path.parent / part.name)
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
            f"file; evaluate the .keras file with --runtime=openvino --precision={precision}."
        )
    return get_runtime(FILE_FORMATS[format].name, None, precision, images)


def _write(path, content):
    with atomic_write(path) as temporary:
        temporary.write_bytes(content)
