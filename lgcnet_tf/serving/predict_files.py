"""Segments image files with a model and writes what it saw."""

import os
import pathlib
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from PIL import Image

from lgcnet_tf.data import DatasetInfo
from lgcnet_tf.data.images import decode_image, read_bytes
from lgcnet_tf.errors import InputError
from lgcnet_tf.serving.backend import Backend, BadPicture, segment
from lgcnet_tf.serving.outputs import plan_outputs, save_picture


def predict_files(
    backend: Backend,
    info: DatasetInfo,
    paths: Sequence[str | os.PathLike],
    output_dir: str | os.PathLike | None = None,
    overlay_alpha: float = 0.6,
    failed: Callable[[str], None] = lambda message: None,
) -> dict[str, Any]:
    """Writes `NAME_mask.png` and `NAME_overlay.png` for each image.

    The mask has the classes' colours, the overlay is the image blended with
    it; both have the image's own size. An image that cannot be segmented is
    left out, and the others are done.

    Args:
        backend: whom to ask.
        info: names and colours of the model's classes; see `backend.served_info`.
        paths: PNG or JPEG files.
        output_dir: where to write; next to each image where None.
        overlay_alpha: the mask's share of the overlay, 0 to 1.
        failed: called with one line for each image that is left out.

    Returns:
        "files": for each one its "file", "mask", "overlay", "size"
        [height, width], "latency_ms" (a request's round trip, milliseconds)
        and "class_percentages" (by class name); "failed": "file" and "error"
        of each left out; of the files done "latency_ms": their "median", "min"
        and "max", and "class_percentages": the mean (both None of no file).

    Raises:
        InputError: see `plan_outputs`, or the model cannot be asked; what is
            done stays.
    """
    if not paths:
        raise InputError("No image to segment: give at least one file.")
    if not 0 <= overlay_alpha <= 1:
        raise InputError(
            f"The overlay's alpha must be in 0..1. Received: {overlay_alpha}."
        )
    files, errors = [], []
    for path, outputs in zip(paths, plan_outputs(paths, output_dir), strict=True):
        try:
            done = _predict_file(
                backend, info, pathlib.Path(path), outputs, overlay_alpha
            )
            files.append(done)
        except BadPicture as error:
            failed(str(error))
            errors.append({"file": str(path), "error": str(error)})
    latencies = [one["latency_ms"] for one in files]
    return {
        "files": files,
        "failed": errors,
        "latency_ms": files
        and {
            "median": statistics.median(latencies),
            "min": min(latencies),
            "max": max(latencies),
        }
        or None,
        "class_percentages": files
        and {
            name: statistics.fmean(one["class_percentages"][name] for one in files)
            for name in info.class_names
        }
        or None,
    }


def overlay(image: np.ndarray, colors: np.ndarray, alpha: float = 0.6) -> np.ndarray:
    """Blends uint8 (height, width, 3) pictures, `alpha` of `colors`."""
    blended = Image.blend(Image.fromarray(image), Image.fromarray(colors), alpha)
    return np.asarray(blended)


def _predict_file(
    backend: Backend,
    info: DatasetInfo,
    path: pathlib.Path,
    outputs: dict[str, pathlib.Path],
    alpha: float,
) -> dict[str, Any]:
    encoded, image = _read(path)
    size = image.shape[:2]
    start = time.perf_counter()
    mask = segment(backend, info, encoded, size, path)
    latency_ms = (time.perf_counter() - start) * 1e3
    colors = info.colorize(mask)
    save_picture(outputs["mask"], colors, path)
    save_picture(outputs["overlay"], overlay(image, colors, alpha), path)
    counts = np.bincount(mask.ravel(), minlength=info.num_classes)
    return {
        "file": str(path),
        **{kind: str(output) for kind, output in outputs.items()},
        "size": list(size),
        "latency_ms": latency_ms,
        "class_percentages": {
            name: float(count) * 100 / mask.size
            for name, count in zip(info.class_names, counts, strict=True)
        },
    }


def _read(path: pathlib.Path) -> tuple[bytes, np.ndarray]:
    try:
        encoded = read_bytes(path)
        return encoded, decode_image(encoded, str(path))
    except InputError as error:
        raise BadPicture(str(error)) from None
