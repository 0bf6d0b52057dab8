"""The folders of a model's versions: `1/`, `2/`, or `00000123/` with zeros before."""

import os
import pathlib

_LARGEST = 2**63 - 1  # a version is an int64


def version_folders(base: str | os.PathLike) -> dict[int, pathlib.Path]:
    """Returns the folders under `base` whose names are versions, ascending.

    A name that is no int64 is no version, as to TensorFlow Serving. Of two names of
    one number, as `1` and `001`, the shorter counts.
    """
    folder = pathlib.Path(base)
    if not folder.is_dir():
        return {}
    found: dict[int, pathlib.Path] = {}
    names = [p for p in folder.iterdir() if p.name.isascii() and p.name.isdecimal()]
    for path in sorted(names, key=lambda p: (len(p.name), p.name)):
        if len(path.name) < 40 and int(path.name) <= _LARGEST and path.is_dir():
            found.setdefault(int(path.name), path)
    return dict(sorted(found.items()))
