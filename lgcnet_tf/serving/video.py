"""Segments the frames of a video file or a camera, and writes a video of overlays."""

import itertools
import os
import pathlib
import statistics
import time
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from lgcnet_tf.convert.packages import import_package
from lgcnet_tf.data import DatasetInfo
from lgcnet_tf.errors import InputError
from lgcnet_tf.files import atomic_write
from lgcnet_tf.serving.backend import Backend, BadPicture, segment
from lgcnet_tf.serving.outputs import source_name
from lgcnet_tf.serving.predict_files import overlay

VIDEO_SUFFIXES = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v")
_CAMERA_FPS = 10.0
_USER = "video"


def is_video(path: str | os.PathLike) -> bool:
    """Whether a file's name is that of a video."""
    return pathlib.Path(path).suffix.lower() in VIDEO_SUFFIXES


def plan_video(
    source: str | os.PathLike | int,
    output_dir: str | os.PathLike | None = None,
    ours: Mapping[str, str] | None = None,
) -> pathlib.Path:
    """Where the video of overlays goes: `NAME_overlay.mp4`, or `camera_N_overlay.mp4`.

    Args:
        source: a video file, or a camera's number.
        output_dir: the folder; next to the file where None, here for a camera.
        ours: what is known of videos there: of each name, `source_name` of what it
            was made of. Such a one may be replaced by the same file's.

    Raises:
        InputError: there is such a file already, or no video.
    """
    if isinstance(source, int):
        path = pathlib.Path(output_dir or ".", f"camera_{source}_overlay.mp4")
    else:
        source = pathlib.Path(source)
        if not source.is_file():
            raise InputError(f"{source}: no such video file; give the path of one.")
        path = pathlib.Path(output_dir or source.parent, f"{source.stem}_overlay.mp4")
    if os.path.lexists(path):
        same = not isinstance(source, int) and path.is_file() and not path.is_symlink()
        if not same or (ours or {}).get(path.name) != source_name(source, path):
            raise InputError(
                f"{path}: exists already; rename it, or name another --output_dir."
            )
    return path


def predict_video(
    backend: Backend,
    info: DatasetInfo,
    source: str | os.PathLike | int,
    output_dir: str | os.PathLike | None = None,
    max_frames: int = 0,
    alpha: float = 0.6,
    ours: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Writes a video of the frames blended with their masks.

    It has the source's size and rate. An interrupt (Ctrl-C) ends it, and what is
    done is kept.

    Args:
        backend: whom to ask.
        info: names and colours of the classes.
        source: a video file, or a camera's number.
        output_dir: as for `plan_video`.
        max_frames: end after so many; 0 for all.
        alpha: the masks' share, 0 to 1.
        ours: as for `plan_video`.

    Returns:
        "file", "overlay", of a file "source" (`source_name`), "size" [height, width],
        "frames", "fps", "latency_ms" (the median of a frame's round trip, milliseconds)
        and "class_percentages" (means by class name).

    Raises:
        BadPicture: no frame can be read from the source.
        InputError: OpenCV is not installed, see `plan_video`, or the backend refuses.
    """
    cv2 = import_package("cv2", _USER)
    output = plan_video(source, output_dir, ours)
    output.parent.mkdir(parents=True, exist_ok=True)
    capture = cv2.VideoCapture(source if isinstance(source, int) else str(source))
    name = f"camera {source}" if isinstance(source, int) else str(source)
    try:
        fps = capture.get(cv2.CAP_PROP_FPS)
        fps = fps if 0 < fps < 1000 else _CAMERA_FPS
        frames = _frames(capture, max_frames)
        first = next(frames, None)
        if first is None:
            raise BadPicture(
                f"{name}: no frame can be read from it; give what OpenCV reads."
            )
        size = first.shape[:2]
        counts, latencies = np.zeros(info.num_classes), []
        with atomic_write(output) as temporary:
            code = cv2.VideoWriter_fourcc(*"mp4v")
            writer = cv2.VideoWriter(str(temporary), code, fps, size[::-1])
            try:
                if not writer.isOpened():
                    raise InputError(
                        f"{output}: OpenCV cannot write a video there; name another "
                        "--output_dir."
                    )
                for frame in itertools.chain([first], frames):
                    started = time.perf_counter()
                    mask = segment(backend, info, _png(cv2, frame), size, name)
                    latencies.append((time.perf_counter() - started) * 1e3)
                    counts += np.bincount(mask.ravel(), minlength=info.num_classes)
                    drawn = overlay(frame, info.colorize(mask), alpha)
                    writer.write(np.ascontiguousarray(drawn[..., ::-1]))
            except KeyboardInterrupt:
                if not latencies:
                    raise
            finally:
                writer.release()
    finally:
        capture.release()
    return {
        "file": name,
        "overlay": str(output),
        **({} if isinstance(source, int) else {"source": source_name(source, output)}),
        "size": list(size),
        "frames": len(latencies),
        "fps": fps,
        "latency_ms": statistics.median(latencies),
        "class_percentages": {
            one: float(count) * 100 / counts.sum()
            for one, count in zip(info.class_names, counts, strict=True)
        },
    }


def _frames(capture, max_frames: int) -> Iterator[np.ndarray]:
    """uint8 RGB (height, width, 3) of each frame, those of another size left out."""
    size, count = None, 0
    while not max_frames or count < max_frames:
        there, frame = capture.read()
        if not there:
            return
        size = size or frame.shape
        if frame.shape == size:
            count += 1
            yield np.ascontiguousarray(frame[..., ::-1])


def _png(cv2, frame: np.ndarray) -> bytes:
    fast = [cv2.IMWRITE_PNG_COMPRESSION, 1]
    return cv2.imencode(".png", frame[..., ::-1], fast)[1].tobytes()
