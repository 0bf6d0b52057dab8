"""Segments image files with a served model and writes what it saw."""

import os
import pathlib
import statistics
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from lgcnet_tf.data import DatasetInfo
from lgcnet_tf.data.images import decode_image, read_bytes
from lgcnet_tf.errors import InputError
from lgcnet_tf.files import atomic_write
from lgcnet_tf.serving.client import Client


def predict_files(
    client: Client,
    info: DatasetInfo,
    paths: Sequence[str | os.PathLike],
    output_dir: str | os.PathLike | None = None,
    overlay_alpha: float = 0.6,
) -> dict[str, Any]:
    """Writes `NAME_mask.png` and `NAME_overlay.png` for each image.

    The mask has the classes' colours, the overlay is the image blended with
    it; both have the image's own size, the classes being resized by nearest
    neighbour where the network's differs.

    Args:
        client: whom to ask.
        info: names and colours of the model's classes.
        paths: PNG or JPEG files.
        output_dir: where to write; next to each image where None.
        overlay_alpha: the mask's share of the overlay, 0 to 1.

    Returns:
        "files": for each one its "file", "mask", "overlay", "size"
        [height, width], "latency_ms" (a request's round trip, milliseconds)
        and "class_percentages" (by class name); "latency_ms": their "median",
        "min" and "max"; "class_percentages": the mean over the files.

    Raises:
        InputError: a file is absent or no whole image, two files would write
            the same output, or the server refuses.
    """
    if not paths:
        raise InputError("No image to segment: give at least one file.")
    if not 0 <= overlay_alpha <= 1:
        raise InputError(
            f"The overlay's alpha must be in 0..1. Received: {overlay_alpha}."
        )
    jobs = _plan([pathlib.Path(path) for path in paths], output_dir)
    files = [
        _predict_file(client, info, path, stem, overlay_alpha)
        for path, stem in jobs
    ]
    latencies = [one["latency_ms"] for one in files]
    return {
        "files": files,
        "latency_ms": {
            "median": statistics.median(latencies),
            "min": min(latencies),
            "max": max(latencies),
        },
        "class_percentages": {
            name: statistics.fmean(
                one["class_percentages"][name] for one in files
            )
            for name in info.class_names
        },
    }


def overlay(
    image: np.ndarray, colors: np.ndarray, alpha: float = 0.6
) -> np.ndarray:
    """Blends uint8 (height, width, 3) pictures, `alpha` of `colors`."""
    blended = Image.blend(Image.fromarray(image), Image.fromarray(colors), alpha)
    return np.asarray(blended)


def _plan(
    paths: Sequence[pathlib.Path], output_dir: str | os.PathLike | None
) -> list[tuple[pathlib.Path, pathlib.Path]]:
    """Pairs each image with its outputs' path up to `_mask.png`."""
    sources: dict[pathlib.Path, pathlib.Path] = {}
    for path in paths:
        if not path.is_file():
            raise InputError(f"{path}: no such image file.")
        folder = path.parent if output_dir is None else pathlib.Path(output_dir)
        stem = folder / path.stem
        if stem in sources:
            raise InputError(
                f"{sources[stem]} and {path} would both write {stem}_mask.png; "
                "give them one at a time, to different folders."
            )
        sources[stem] = path
    return [(path, stem) for stem, path in sources.items()]


def _predict_file(
    client: Client,
    info: DatasetInfo,
    path: pathlib.Path,
    stem: pathlib.Path,
    alpha: float,
) -> dict[str, Any]:
    encoded = read_bytes(path)
    image = decode_image(encoded, str(path))
    start = time.perf_counter()
    mask = client.predict_encoded([encoded])[0]
    latency_ms = (time.perf_counter() - start) * 1e3
    if mask.max() >= info.num_classes:
        raise InputError(
            f"{client.target}: the model gives class {mask.max()}, "
            f"{info.name} has only {info.num_classes} classes."
        )
    height, width = image.shape[:2]
    if mask.shape != (height, width):
        resized = Image.fromarray(mask).resize((width, height), Image.NEAREST)
        mask = np.asarray(resized)
    colors = info.colorize(mask)
    outputs = {"mask": colors, "overlay": overlay(image, colors, alpha)}
    written = {}
    for kind, picture in outputs.items():
        target = stem.with_name(f"{stem.name}_{kind}.png")
        with atomic_write(target) as temporary:
            Image.fromarray(picture).save(temporary, "PNG")
        written[kind] = str(target)
    counts = np.bincount(mask.ravel(), minlength=info.num_classes)
    return {
        "file": str(path),
        **written,
        "size": [height, width],
        "latency_ms": latency_ms,
        "class_percentages": {
            name: float(count) * 100 / mask.size
            for name, count in zip(info.class_names, counts, strict=True)
        },
    }
