"""Files that are either whole or absent."""

import contextlib
import errno
import hashlib
import json
import os
import pathlib
import re
import tempfile
from collections.abc import Iterator
from typing import Any

from lgcnet_tf.errors import InputError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

_TEMPORARY = re.compile(r"\..+-[a-z0-9_]{8}(\.\w+)*")


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Yields a temporary path that becomes `path` when the block succeeds.

    The temporary file lies in the target's own folder, which is created, and
    keeps the target's suffix, since some writers (Keras) choose the format by
    it. It is removed when the block raises, and reaches the disk before it
    takes the target's name, so that not even a power cut leaves half a file.

    Raises:
        InputError: the disk is full; names `path`.
    """
    path = pathlib.Path(path)
    with naming_when_full(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(
            prefix=f".{path.name.split('.')[0]}-",
            suffix="".join(path.suffixes),
            dir=path.parent,
        )
        os.close(handle)
        temporary = pathlib.Path(name)
        try:
            yield temporary
            mask = os.umask(0)
            os.umask(mask)
            temporary.chmod(0o666 & ~mask)
            _to_disk(temporary)
            os.replace(temporary, path)
            with contextlib.suppress(OSError):  # not every file system can
                _to_disk(path.parent)
        finally:
            temporary.unlink(missing_ok=True)


def _to_disk(path):
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def naming_when_full(path: str | os.PathLike) -> Iterator[None]:
    """Turns the error for a full disk into an InputError that names `path`."""
    try:
        yield
    except Exception as error:
        reason = full_disk(error)
        if not reason:
            raise
        raise InputError(
            f"{path}: not written: {reason}. Make room and give the same command again."
        ) from error


def full_disk(error: BaseException) -> str:
    """The reason, if an error says that a disk, quota or file size is used up."""
    if isinstance(error, OSError):
        return os.strerror(error.errno) if error.errno in FULL else ""
    if type(error).__module__.startswith("tensorflow"):  # its own have only words
        return next((s for s in map(os.strerror, FULL) if s in str(error)), "")
    return ""


def remove_leftovers(folder: str | os.PathLike) -> None:
    """Removes what a killed process left of `atomic_write` in `folder` itself."""
    for path in pathlib.Path(folder).glob(".*"):
        if _TEMPORARY.fullmatch(path.name):
            path.unlink(missing_ok=True)


def write_json(path: str | os.PathLike, value: Any) -> None:
    """Writes `value` as indented JSON, whole or not at all."""
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2) + "\n")


def read_json(path: str | os.PathLike) -> Any:
    """Reads JSON, with or without the mark that some editors write before it.

    Raises:
        InputError: the file is absent or is no JSON; names file and position.
    """
    try:
        return json.loads(pathlib.Path(path).read_text("utf-8-sig"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file.") from None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(f"{path}: not a JSON file: {error}") from None


_WHOLE = 256 * 1024**2
_END = 16 * 1024**2


def fingerprint(path: str | os.PathLike) -> str:
    """Size and SHA-256 of a file, or of all files below a folder by name.

    Of files above 256 MiB only both ends are read. In a ZIP archive the last of
    them holds the names, sizes and checksums of all that is in it.

    Raises:
        InputError: there is no such file, or it cannot be read.
    """
    path = pathlib.Path(path)
    try:
        if path.is_dir():
            files = sorted(p for p in path.rglob("*") if p.is_file())
            lines = [f"{p.relative_to(path)} {fingerprint(p)}\n" for p in files]
            digest = hashlib.sha256("".join(lines).encode())
            return f"{len(files)} files, {digest.hexdigest()[:16]}"
        digest, size = hashlib.sha256(), path.stat().st_size
        with open(path, "rb") as file:
            parts = ((0, size),) if size <= _WHOLE else ((0, _END), (size - _END, _END))
            for start, length in parts:
                file.seek(start)
                digest.update(file.read(length))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}.") from None
    return f"{size} bytes, {digest.hexdigest()[:16]}"
