"""Segments image files with a served model and writes what it saw."""

import os
import pathlib
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from PIL import Image

from lgcnet_tf.data import DatasetInfo
from lgcnet_tf.data.fit import mask_of
from lgcnet_tf.data.images import decode_image, read_bytes
from lgcnet_tf.errors import InputError
from lgcnet_tf.serving.client import Client
from lgcnet_tf.serving.conversation import ServerError
from lgcnet_tf.serving.outputs import plan_outputs, save_picture
from lgcnet_tf.serving.status import Code


def served_info(client: Client, dataset: DatasetInfo | None = None) -> DatasetInfo:
    """Names and colours of the served model's classes.

    Args:
        client: whom to ask.
        dataset: for a model that does not say them; an older export's.

    Raises:
        InputError: the model says other names than `dataset`, or none and there
            is no `dataset`.
    """
    served = client.classes()
    if served is None:
        if dataset is None:
            raise InputError(
                f"{client.target}: {client.model_name} was exported by an older "
                "version and does not say its classes; name its data set with "
                "--dataset, or export it again."
            )
        return dataset
    names = served.info.class_names
    if dataset is not None and dataset.class_names != names:
        raise InputError(
            f"{client.target}: {client.model_name} has the {len(names)} classes of "
            f"{served.info.name}, not those of {dataset.name}; leave out --dataset."
        )
    return served.info


def predict_files(
    client: Client,
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
        client: whom to ask.
        info: names and colours of the model's classes; see `served_info`.
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
        InputError: see `plan_outputs`, or the server cannot be asked; what is
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
                client, info, pathlib.Path(path), outputs, overlay_alpha
            )
            files.append(done)
        except _BadFile as error:
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


class _BadFile(InputError):
    """One image is at fault, and no other."""


def overlay(image: np.ndarray, colors: np.ndarray, alpha: float = 0.6) -> np.ndarray:
    """Blends uint8 (height, width, 3) pictures, `alpha` of `colors`."""
    blended = Image.blend(Image.fromarray(image), Image.fromarray(colors), alpha)
    return np.asarray(blended)


def _predict_file(
    client: Client,
    info: DatasetInfo,
    path: pathlib.Path,
    outputs: dict[str, pathlib.Path],
    alpha: float,
) -> dict[str, Any]:
    encoded, image = _read(path)
    size = image.shape[:2]
    start = time.perf_counter()
    try:
        mask = client.predict_encoded([encoded])[0]
    except ServerError as error:
        if error.code is Code.INVALID_ARGUMENT:
            raise _BadFile(f"{path}: {error}") from None
        raise
    latency_ms = (time.perf_counter() - start) * 1e3
    if mask.max() >= info.num_classes:
        raise InputError(
            f"{client.target}: the model gives class {mask.max()}, "
            f"{info.name} has only {info.num_classes} classes."
        )
    if mask.shape != size:
        if client.gives_own_sizes():
            raise InputError(
                f"{client.target}: saw {path} as {mask.shape[1]}x{mask.shape[0]} "
                f"pixels, here it has {size[1]}x{size[0]}."
            )
        mask = mask_of(mask[None], "stretch", size, mask.shape)
    colors = info.colorize(mask)
    save_picture(outputs["mask"], colors)
    save_picture(outputs["overlay"], overlay(image, colors, alpha))
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
        raise _BadFile(str(error)) from None
