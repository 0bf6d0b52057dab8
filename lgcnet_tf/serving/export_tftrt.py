"""Writes what TF-TRT's converter takes: a SavedModel that converts whole, and a script.

TensorFlow has had no TF-TRT since 2.18, so that the conversion is a program of its
own, which needs TensorFlow 2.17, TensorRT and the GPU that will serve.
"""

import os
import pathlib
import shutil
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from lgcnet_tf.convert import tftrt_script
from lgcnet_tf.convert.dilated import SERVED_ON, native_dilation
from lgcnet_tf.convert.transposed import pixel_shuffles
from lgcnet_tf.data import DatasetInfo
from lgcnet_tf.data.geometry import DEFAULT_FIT
from lgcnet_tf.errors import InputError
from lgcnet_tf.files import atomic_write, write_json
from lgcnet_tf.runtimes.representative import RepresentativeImages
from lgcnet_tf.serving.export import export_saved_model

SCRIPT, MODEL = "convert.py", "saved_model"
_MODES = {"float32": "FP32", "float16": "FP16", "int8": "INT8"}


def export_tftrt(
    network: keras.Model,
    output_dir: str | os.PathLike,
    info: DatasetInfo,
    batch_size: int = 1,
    metadata: dict[str, Any] | None = None,
    precision: str = "float32",
    images: Sequence[np.ndarray] = (),
    fit: str = DEFAULT_FIT,
) -> pathlib.Path:
    """Writes `saved_model/1`, `convert.py`, `settings.json` and for int8 `images.npy`.

    The SavedModel has dilated and transposed convolutions as TensorRT takes them (see
    `convert.dilated` and `convert.transposed`), and says in its `lgcnet.json` that it is
    to be served with TensorRT.

    Args:
        network, info, metadata, fit: as for `export_saved_model`.
        output_dir: the folder; must not hold such an export.
        batch_size: images that engines are built for ahead of time.
        precision: float32, float16 or int8.
        images: uint8 (height, width, 3), what int8 is calibrated with.

    Returns:
        The script.

    Raises:
        InputError: there is such an export, TF-TRT has no such precision, or int8
            has no images.
    """
    folder = pathlib.Path(output_dir)
    if precision not in _MODES:
        raise InputError(
            f"--format=tftrt: computes in {' or '.join(_MODES)}; give --precision so."
        )
    if precision == "int8" and not len(images):
        raise InputError(
            "--format=tftrt: int8 needs images to be calibrated with; name "
            "--calibration_images, or --data_dir."
        )
    for name in (SCRIPT, MODEL):
        if os.path.lexists(folder / name):
            raise InputError(f"{folder / name}: exists already; name another folder.")
    folder.mkdir(parents=True, exist_ok=True)
    settings = {"precision": _MODES[precision], "batch_size": batch_size}
    with native_dilation(network), pixel_shuffles(network):
        export_saved_model(
            network, folder / MODEL, info, 1, False,
            {**(metadata or {}), "precision": precision},
            network.input_size, network.num_classes, fit, SERVED_ON,
        )  # fmt: skip
    if precision == "int8":
        shape = (batch_size, *network.input_size, 3)
        given = RepresentativeImages.of(images)
        batches = np.concatenate(list(given.batches(shape)))
        with atomic_write(folder / "images.npy") as temporary:
            with open(temporary, "wb") as file:
                np.save(file, batches)
    write_json(folder / "settings.json", settings)
    with atomic_write(folder / SCRIPT) as temporary:
        shutil.copyfile(tftrt_script.__file__, temporary)
    return folder / SCRIPT
