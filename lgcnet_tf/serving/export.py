"""Writes a network as a SavedModel that TensorFlow Serving can load."""

import contextlib
import errno
import fcntl
import os
import pathlib
import shutil
import tempfile
import time
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from lgcnet_tf.data import DatasetInfo
from lgcnet_tf.data.geometry import DEFAULT_FIT, check_fit
from lgcnet_tf.errors import InputError
from lgcnet_tf.evaluation.model_files import check_loadable
from lgcnet_tf.files import read_json, write_json
from lgcnet_tf.serving import signatures
from lgcnet_tf.serving.classes import (
    CLASSES_SIGNATURE,
    QUERY_INPUT,
    ServedClasses,
    classes_function,
)
from lgcnet_tf.serving.version_folders import version_folders
from lgcnet_tf.serving.warmup import write_warmup

INFO_FILE = "assets.extra/lgcnet.json"
_YOUNG_S = 10.0  # a folder is locked within this time of being made
_INFO_FORMAT_VERSION = 2  # 1 had no "fit"; its models stretch


def export_saved_model(
    network: keras.Model,
    output_dir: str | os.PathLike,
    info: DatasetInfo,
    version: int | None = None,
    scores: bool = False,
    metadata: dict[str, Any] | None = None,
    input_size: tuple[int, int] | None = None,
    num_classes: int | None = None,
    fit: str = DEFAULT_FIT,
    served_on: str = "",
) -> pathlib.Path:
    """Writes `output_dir/VERSION`, whole or not at all.

    The SavedModel has the signatures

    - `serving_default`: `images`, uint8 RGB (batch, height, width, 3)
    - `encoded`: `encoded`, (batch,) strings, each a PNG or JPEG file of any
      size, brought to the network's as `fit` says; see
      `signatures.encoded_segmenter` for the outputs' size
    - `classes`: see `classes.classes_function`

    the first two with the output `mask`, uint8 (batch, height, width), and with
    `scores` also `scores`, float32 (batch, height, width, classes), the
    softmax. `assets.extra/` has warm-up requests and `lgcnet.json`: class
    names, palette, input size, fit and `metadata`.

    Args:
        network: maps uint8 RGB (batch, height, width, 3) to logits
            (batch, height, width, classes).
        output_dir: the model's base path, the one a server is given.
        info: names and colours of the classes.
        version: a positive integer; one more than the newest where None.
        scores: also give the softmax.
        metadata: what else to keep in `lgcnet.json` (JSON values).
        input_size: (height, width); the network's own where None.
        num_classes: classes of the logits; the network's own where None.
        fit: how pictures of another size are brought to the network's, one of
            `geometry.FITS`.
        served_on: what a server must have to run the graph, as
            `convert.dilated.SERVED_ON`; nothing special where empty.

    Returns:
        The version's folder.

    Raises:
        InputError: the version exists, TensorFlow could not load from
            `output_dir`, there is no such fit, the network's classes are not those of
            `info`, or Keras does not run on TensorFlow.
    """
    if keras.backend.backend() != "tensorflow":
        raise InputError(
            "Export needs KERAS_BACKEND=tensorflow. Received: "
            f"{keras.backend.backend()}."
        )
    if input_size is None:
        # A subclassed model has no shapes of its own, a plain one no size.
        has_size = hasattr(network, "input_size")
        input_size = network.input_size if has_size else network.input_shape[1:3]
    size = tuple(int(side) for side in input_size)
    if num_classes is None:
        has_classes = hasattr(network, "num_classes")
        num_classes = network.num_classes if has_classes else network.output_shape[-1]
    if num_classes != info.num_classes:
        raise InputError(
            f"The network has {num_classes} classes, {info.name} has "
            f"{info.num_classes}; name the data set that it was trained on."
        )
    check_fit(fit)
    check_loadable(output_dir)
    base = pathlib.Path(output_dir)
    try:
        base.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise InputError(f"{base}: a file; a folder is needed.") from None
    asked = version
    version = _free_version(base, asked)
    _remove_leftovers(base, version if asked else None)
    # A server that watches the folder takes only names that are integers.
    temporary = pathlib.Path(tempfile.mkdtemp(prefix=f".{version}-", dir=base))
    alive = os.open(temporary, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(alive, fcntl.LOCK_SH)
        model = str((metadata or {}).get("model", ""))
        classes = ServedClasses(info, size, fit, model)
        _write_graph(network, classes, scores, temporary)
        write_warmup(temporary, size)
        values = info_values(info, size, scores, metadata or {}, fit)
        if served_on:
            values["served_on"] = served_on
        write_json(temporary / INFO_FILE, values)
        mask = os.umask(0)
        os.umask(mask)
        temporary.chmod(0o777 & ~mask)
        return _publish(temporary, base, version, asked)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        os.close(alive)


def _publish(
    temporary: pathlib.Path, base: pathlib.Path, version: int, asked: int | None
) -> pathlib.Path:
    """Gives a whole version its name: the next one where another export took it."""
    while True:
        try:
            # Only an empty folder could be replaced, and a version is never empty.
            return temporary.rename(base / str(version))
        except OSError as error:
            if asked or error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                raise _exists(base, version) from None
            version = _free_version(base, None)


def _remove_leftovers(base: pathlib.Path, wanted: int | None) -> None:
    """Removes what exports left that were killed: nobody holds a lock on it.

    Raises:
        InputError: another export is writing the version `wanted`.
    """
    for path in base.glob(".*-*"):
        number, _, _ = path.name[1:].partition("-")
        if not number.isdecimal() or not path.is_dir():
            continue
        with contextlib.suppress(OSError):
            folder = os.open(path, os.O_RDONLY)
            try:
                young = time.time() - path.stat().st_mtime < _YOUNG_S
                fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if not young:  # else it may be about to be locked
                    shutil.rmtree(path, ignore_errors=True)
            except BlockingIOError:
                if wanted == int(number):
                    raise InputError(
                        f"{base / number}: another export is writing this version."
                    ) from None
            finally:
                os.close(folder)


def load_info(folder: str | os.PathLike) -> tuple[DatasetInfo, dict[str, Any]]:
    """Reads `lgcnet.json` of an exported version.

    Returns:
        The classes, and everything the file holds.

    Raises:
        InputError: the file is absent, damaged or of a newer format.
    """
    path = pathlib.Path(folder, INFO_FILE)
    values = read_json(path)
    try:
        if values["format_version"] > _INFO_FORMAT_VERSION:
            raise InputError(
                f"{path}: format version {values['format_version']}; this "
                f"program reads up to {_INFO_FORMAT_VERSION}; export the model again."
            )
        info = DatasetInfo(
            name=values["dataset"],
            class_names=tuple(values["class_names"]),
            palette=np.array(values["palette"], np.uint8),
            void_label=values["void_label"],
        )
    except (KeyError, TypeError) as error:
        raise InputError(
            f"{path}: no description of a model: {error}; export it again."
        ) from None
    return info, values


def info_values(
    info: DatasetInfo,
    size: tuple[int, int],
    scores: bool,
    metadata: dict[str, Any],
    fit: str = DEFAULT_FIT,
) -> dict[str, Any]:
    """What `lgcnet.json` says of a model; arguments as for `export_saved_model`."""
    return {
        "format_version": _INFO_FORMAT_VERSION,
        "dataset": info.name,
        "class_names": list(info.class_names),
        "palette": np.asarray(info.palette).tolist(),
        "void_label": int(info.void_label),
        "input_size": list(size),
        "num_classes": info.num_classes,
        "fit": fit,
        "scores": scores,
        "metadata": metadata,
    }


def _free_version(base: pathlib.Path, version: int | None) -> int:
    existing = version_folders(base)
    if version is None:
        return max(existing, default=0) + 1
    if version < 1:
        raise InputError(f"A version must be at least 1. Received: {version}.")
    if version in existing:
        raise _exists(base, version)
    return version


def _exists(base: pathlib.Path, version: int) -> InputError:
    return InputError(f"{base / str(version)}: this version already exists.")


def _write_graph(
    network: keras.Model,
    classes: ServedClasses,
    scores: bool,
    folder: pathlib.Path,
) -> None:
    size = classes.input_size
    segment = signatures.segmenter(network, scores)
    archive = keras.export.ExportArchive()
    archive.track(network)
    archive.add_endpoint(
        signatures.IMAGES_SIGNATURE,
        segment,
        [tf.TensorSpec((None, *size, 3), tf.uint8, signatures.IMAGES_INPUT)],
    )
    archive.add_endpoint(
        signatures.ENCODED_SIGNATURE,
        signatures.encoded_segmenter(segment, size, classes.fit, scores),
        [tf.TensorSpec((None,), tf.string, signatures.ENCODED_INPUT)],
    )
    archive.add_endpoint(
        CLASSES_SIGNATURE,
        classes_function(classes),
        [tf.TensorSpec((None,), tf.int32, QUERY_INPUT)],
    )
    archive.write_out(folder, verbose=False)
