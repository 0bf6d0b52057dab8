"""Everything a run needs to go on, in one file per epoch."""

import json
import pathlib
import zipfile
from typing import Any

import keras
import numpy as np

from lgcnet_tf.errors import InputError
from lgcnet_tf.files import atomic_write

KEEP = 2


def _variables(model: keras.Model) -> list[keras.Variable]:
    metrics = {id(v) for v in model.metrics_variables}
    weights = [v for v in model.variables if id(v) not in metrics]
    return weights + list(model.optimizer.variables)


def save_checkpoint(
    model: keras.Model, folder: pathlib.Path, epoch: int, state: dict[str, Any]
) -> pathlib.Path:
    """Writes the model, its optimiser and its random state after `epoch` epochs.

    Args:
        model: built and compiled.
        folder: gets `epoch_NNNN.npz`; older ones are removed but for one.
        epoch: count of finished epochs.
        state: JSON-serialisable, handed back on resuming.
    """
    arrays = {
        str(i): keras.ops.convert_to_numpy(v) for i, v in enumerate(_variables(model))
    }
    meta = json.dumps({"epoch": epoch, "state": state})
    path = folder / f"epoch_{epoch:04d}.npz"
    with atomic_write(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, meta=np.array(meta), **arrays)
    for old in sorted(folder.glob("epoch_*.npz"))[:-KEEP]:
        old.unlink()
    return path


def restore_checkpoint(
    model: keras.Model, folder: pathlib.Path
) -> tuple[int, dict[str, Any]] | None:
    """Loads the newest readable checkpoint into `model`.

    Returns:
        The count of finished epochs and the state, or None without one.

    Raises:
        InputError: there are checkpoints and none is readable.
    """
    paths = sorted(folder.glob("epoch_*.npz"), reverse=True)
    for path in paths:
        try:
            with np.load(path) as data:
                meta = json.loads(str(data["meta"]))
                variables = _variables(model)
                arrays = [data[str(i)] for i in range(len(variables))]
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            continue  # damaged: the one before is still good
        for variable, array in zip(variables, arrays):
            variable.assign(array)
        return meta["epoch"], meta["state"]
    if paths:
        raise InputError(
            f"{folder}: no checkpoint in it can be read; give another --output_dir."
        )
    return None
