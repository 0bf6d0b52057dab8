"""The files that `lgcnet-predict` writes: planned first, nobody else's replaced.

A picture that it wrote says so in its PNG's text, and of which image it is. Only such a
one is ever written over, and only by the same image.
"""

import os
import pathlib
from collections.abc import Sequence

import numpy as np
from PIL import Image, PngImagePlugin

from lgcnet_tf.errors import InputError
from lgcnet_tf.files import atomic_write, full_disk

KINDS = ("mask", "overlay")
_KEY, _PROGRAM = "Software", "lgcnet-predict"
_SOURCE = "lgcnet-predict of"


def plan_outputs(
    paths: Sequence[str | os.PathLike], output_dir: str | os.PathLike | None = None
) -> list[dict[str, pathlib.Path]]:
    """Where each image's pictures go: `NAME_mask.png` and `NAME_overlay.png`.

    Args:
        paths: the images.
        output_dir: where to write; next to each image where None.

    Returns:
        For each image, the path of each of `KINDS`.

    Raises:
        InputError: a picture would replace an input, another image's picture, now or
            of a call before, or a file that `lgcnet-predict` did not write, or lie in
            a folder that cannot be written to. Names the file; nothing is written yet.
    """
    sources: dict[pathlib.Path, pathlib.Path] = {}
    plans = []
    for path in map(pathlib.Path, paths):
        folder = path.parent if output_dir is None else pathlib.Path(output_dir)
        plan = {kind: folder / f"{path.stem}_{kind}.png" for kind in KINDS}
        for output in plan.values():
            place = folder.resolve() / output.name
            if place in sources:
                raise InputError(
                    f"{sources[place]} and {path} would both write {output}; give "
                    "them one at a time, with different --output_dir."
                )
            sources[place] = path
            _check_output(output, paths, path)
        _check_folder(folder)
        plans.append(plan)
    return plans


def is_ours(path: str | os.PathLike) -> bool:
    """Whether `save_picture` wrote a file."""
    return _texts(path).get(_KEY) == _PROGRAM


def source_name(source: str | os.PathLike, output: str | os.PathLike) -> str:
    """How an output names the file that it is made of: relative to its own folder.

    The two may be moved together.
    """
    source, folder = pathlib.Path(source), pathlib.Path(output).parent
    place = os.path.join(os.path.realpath(source.parent), source.name)
    name = os.path.relpath(place, os.path.realpath(folder))
    return name.encode("utf-8", "backslashreplace").decode()


def save_picture(
    path: pathlib.Path, picture: np.ndarray, source: str | os.PathLike | None = None
) -> None:
    """Writes uint8 RGB (height, width, 3) as a PNG that says who wrote it, and of what.

    Args:
        path: the file.
        picture: what to write.
        source: the image that it is of.

    Raises:
        InputError: a file of someone else's or of another image has come there, or
            the folder cannot be written to.
    """
    _check_output(path, (), source)
    text = PngImagePlugin.PngInfo()
    text.add_text(_KEY, _PROGRAM)
    if source is not None:
        text.add_text(_SOURCE, source_name(source, path))
    try:
        with atomic_write(path) as temporary:
            Image.fromarray(picture).save(temporary, "PNG", pnginfo=text)
    except OSError as error:
        if full_disk(error):
            raise
        raise InputError(
            f"{path}: cannot be written: {error.strerror}; name another --output_dir."
        ) from None


def _texts(path) -> dict:
    try:
        with Image.open(path) as picture:
            return dict(picture.info) if picture.format == "PNG" else {}
    except Exception:  # pylint: disable=broad-exception-caught
        return {}  # Pillow raises many kinds for what is no picture


def _check_output(output, inputs, source=None):
    if not os.path.lexists(output):
        return
    for one in inputs:
        if os.path.exists(one) and os.path.exists(output):
            if os.path.samefile(one, output):
                raise InputError(
                    f"{output} is one of the images and would be written over; leave "
                    "it out, or name another --output_dir."
                )
    texts = {} if output.is_symlink() else _texts(output)
    if texts.get(_KEY) != _PROGRAM:
        raise InputError(
            f"{output}: exists already and is not of lgcnet-predict; rename it, or "
            "name another --output_dir."
        )
    if source is None or _SOURCE not in texts:  # of an earlier release
        return
    if (name := source_name(source, output)) != texts[_SOURCE]:
        raise InputError(
            f"{output}: exists already, of {texts[_SOURCE]} and not of {name}; rename "
            "it, or name another --output_dir."
        )


def _check_folder(folder):
    there = folder.absolute()
    while not os.path.lexists(there):
        there = there.parent
    if not there.is_dir():
        raise InputError(
            f"{folder}: cannot be written to: {there} is no folder; name "
            "another --output_dir."
        )
    if not os.access(there, os.W_OK | os.X_OK):
        raise InputError(f"{folder}: cannot be written to; name another --output_dir.")
