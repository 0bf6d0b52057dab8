"""Saved networks whose kernels are stored in half precision."""

import io
import os
import zipfile

import h5py
import numpy as np

from lgcnet_tf.files import atomic_write
from lgcnet_tf.model.network import Network

_WEIGHTS = "model.weights.h5"


def save_half(network: Network, path: str | os.PathLike) -> None:
    """Saves a network as a `.keras` file of less than half the usual size.

    Kernels become float16, rounded to nearest; vectors (biases, scales and the
    statistics of the normalisation, which may be out of its range) and kernels
    that hold a value that float16 has not stay float32. `load_network` reads
    the file as any other and gives float32 variables.

    Args:
        network: what to save; it is not changed.
        path: of the file, ending in `.keras`.
    """
    with atomic_write(path) as temporary:
        network.save(temporary)
        with zipfile.ZipFile(temporary) as archive:
            parts = {name: archive.read(name) for name in archive.namelist()}
        parts[_WEIGHTS] = _halved(parts[_WEIGHTS])
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in parts.items():
                archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)


def _halved(content: bytes) -> bytes:
    """An HDF5 file with its kernels as float16."""
    target = io.BytesIO()
    with (
        h5py.File(io.BytesIO(content), "r") as before,
        h5py.File(target, "w", libver="latest") as after,
    ):
        after.attrs.update(before.attrs)

        def copy(name, item):
            if isinstance(item, h5py.Group):
                made = after.require_group(name)
            else:
                made = after.create_dataset(name, data=_half(item[()]))
            made.attrs.update(item.attrs)

        before.visititems(copy)
    return target.getvalue()


def _half(value: np.ndarray) -> np.ndarray:
    if value.dtype != np.float32 or value.ndim < 2:
        return value
    if not np.abs(value).max(initial=0.0) <= np.finfo(np.float16).max:
        return value
    return value.astype(np.float16)
