"""Which image files a user means by files, folders and patterns."""

import glob
import os
import pathlib
from collections.abc import Sequence

from lgcnet_tf.errors import InputError
from lgcnet_tf.serving.outputs import is_ours

_SUFFIXES = (".png", ".jpg", ".jpeg")


def image_files(given: Sequence[str | os.PathLike]) -> list[str]:
    """The files that are meant, each once, in the order given.

    Of a folder all PNG and JPEG files in it, by name, and of a pattern all that it
    fits; neither takes up what `lgcnet-predict` itself wrote. A name that is a file
    is never a pattern. A file that does not exist is kept, for it to be named later.

    Raises:
        InputError: a folder or a pattern without any.
    """
    files: list[str] = []
    for one in map(str, given):
        path = pathlib.Path(one)
        if path.is_dir():
            found = sorted(p for p in path.iterdir() if p.suffix.lower() in _SUFFIXES)
        elif not path.exists() and glob.has_magic(one):
            found = sorted(map(pathlib.Path, glob.glob(one, recursive=True)))
        else:
            files.append(one)
            continue
        found = [str(p) for p in found if p.is_file() and not is_ours(p)]
        if not found:
            raise InputError(
                f"{one}: no PNG or JPEG file there; name one, or a folder of them."
            )
        files += found
    return list(dict.fromkeys(files))
