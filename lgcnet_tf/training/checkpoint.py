"""Everything a run needs to go on, in one file: at an epoch's end or in it."""

import collections
import dataclasses
import io
import json
import logging
import pathlib
import re
import types
import zipfile
from collections.abc import Collection, Mapping
from typing import Any

import keras
import numpy as np

from lgcnet_tf.errors import InputError
from lgcnet_tf.files import atomic_write
from lgcnet_tf.training.workers import this_worker

KEEP = 2

_NAME = re.compile(r"epoch_(\d+)(?:_step_(\d+))?\.npz")
_NUMBERED = re.compile(r"(.+)_\d+")
_METRICS = "metrics/"
_KEPT = "kept/"

Kept = Mapping[str, keras.Variable]
"""Variables that are not the model's and are saved with it, by name."""


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """A run between two steps.

    Attributes:
        epoch: count of finished epochs.
        step: finished steps of the epoch after those; 0 at an epoch's end.
        arrays: what `snapshot` gave.
        state: JSON-serialisable.
        path: where it lies.
    """

    epoch: int
    step: int
    arrays: dict[str, np.ndarray]
    state: dict[str, Any]
    path: pathlib.Path


def _variables(model: keras.Model) -> dict[str, keras.Variable]:
    """Variables of model, optimiser and metrics by path.

    Keras numbers models, optimisers and random generators through the whole
    process (`network_1`); here they are counted through the model, so that a
    path does not depend on what else was made before.
    """
    metrics = {id(v) for v in model.metrics_variables}
    groups = (
        ("", [v for v in model.variables if id(v) not in metrics]),
        ("optimizer/", model.optimizer.variables),
        (_METRICS, model.metrics_variables),
    )
    roots: dict[str, str] = {}
    named: dict[str, keras.Variable] = {}
    bases, paths = collections.Counter(), collections.Counter()
    for prefix, variables in groups:
        for variable in variables:
            root, _, rest = variable.path.partition("/")
            if root not in roots:
                match = _NUMBERED.fullmatch(root)
                base = match[1] if match else root
                roots[root] = f"{base}:{bases[base]}" if bases[base] else base
                bases[base] += 1
            if prefix == "optimizer/":  # adam_2/network_1_stem_0_conv_kernel_velocity
                own = _longest_start(rest, roots)
                rest = roots.get(own, "") + rest[len(own) :]
            path = f"{prefix}{roots[root]}/{rest}"
            named[f"{path}#{paths[path]}" if paths[path] else path] = variable
            paths[path] += 1
    return named


def _longest_start(text: str, names: Collection[str]) -> str:
    """The longest of `names` that stands at the text's start, before a `_`."""
    end = text.rfind("_")
    while end >= 0 and text[:end] not in names:
        end = text.rfind("_", 0, end)
    return text[: max(end, 0)]


def snapshot(
    model: keras.Model, kept: Kept = types.MappingProxyType({})
) -> dict[str, np.ndarray]:
    """Copies of all variables by path: weights, random state, optimiser, metrics.

    On several machines every worker calls it, as metrics are summed over them.

    Args:
        kept: variables to save besides.
    """
    if hasattr(model, "jax_state_sync"):  # inside an epoch JAX holds them elsewhere
        model.jax_state_sync()
    return {
        path: np.array(keras.ops.convert_to_numpy(variable))
        for path, variable in _with_kept(model, kept).items()
    }


def _with_kept(model, kept):
    return _variables(model) | {_KEPT + name: v for name, v in kept.items()}


def save_checkpoint(
    folder: pathlib.Path,
    arrays: dict[str, np.ndarray],
    state: dict[str, Any],
    epoch: int,
    step: int = 0,
) -> pathlib.Path:
    """Writes `epoch_NNNN.npz`, or `epoch_NNNN_step_NNNN.npz` inside an epoch.

    All but the newest two are removed. The second name counts the epoch that
    is under way.

    Args:
        arrays, state, epoch, step: as in `Checkpoint`.

    Raises:
        InputError: the disk is full.
    """
    name = f"epoch_{epoch + 1:04d}_step_{step:04d}" if step else f"epoch_{epoch:04d}"
    meta = json.dumps({"epoch": epoch, "step": step, "state": state})
    packed = io.BytesIO()
    np.savez(packed, **{"meta.json": np.array(meta)}, **arrays)
    path = folder / f"{name}.npz"
    with atomic_write(path) as temporary:
        temporary.write_bytes(packed.getbuffer())
    for old in checkpoint_paths(folder)[:-KEEP]:
        old.unlink()
    return path


def checkpoint_paths(folder: pathlib.Path) -> list[pathlib.Path]:
    """The checkpoints of a folder, from the oldest to the newest."""
    found = []
    for path in folder.glob("epoch_*.npz"):
        if match := _NAME.fullmatch(path.name):
            epoch, step = int(match[1]), match[2]
            found.append(((epoch, 0) if step is None else (epoch - 1, int(step)), path))
    return [path for _, path in sorted(found)]


def load_checkpoint(
    folder: pathlib.Path, log: logging.Logger | None = None
) -> Checkpoint | None:
    """Reads the newest checkpoint that is whole; None without any.

    Args:
        log: hears of damaged ones.

    Raises:
        InputError: there are checkpoints and none is readable.
    """
    paths = checkpoint_paths(folder)
    for path in reversed(paths):
        try:
            with np.load(path) as data:
                arrays = {name: data[name] for name in data.files}
            meta = json.loads(str(arrays.pop("meta.json")))
            return Checkpoint(meta["epoch"], meta["step"], arrays, meta["state"], path)
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            if log is not None:
                log.warning("%s is damaged (%s); the one before is taken", path, error)
    if paths:
        raise InputError(
            f"{folder}: no checkpoint in it can be read; give another --output_dir."
        )
    return None


def restore(
    model: keras.Model,
    checkpoint: Checkpoint,
    metrics: bool = False,
    kept: Kept = types.MappingProxyType({}),
) -> None:
    """Assigns a checkpoint's arrays to the variables of `model`.

    Args:
        kept: the variables that were saved besides.
        metrics: those of the metrics too, to go on inside an epoch.

    Raises:
        InputError: it is another model's; names the first variable that has
            no counterpart or another shape.
    """
    variables = _with_kept(model, kept)
    arrays = checkpoint.arrays
    for path in [*variables, *arrays]:
        if path.startswith(_METRICS) and not metrics:
            continue
        if path not in arrays:
            problem = f"it has no {path}"
        elif path not in variables:
            problem = f"this model has no {path}"
        elif tuple(variables[path].shape) != arrays[path].shape:
            problem = (
                f"{path} is {arrays[path].shape} there and "
                f"{tuple(variables[path].shape)} in this model"
            )
        else:
            continue
        raise InputError(
            f"{checkpoint.path} does not fit: {problem}. Give another --output_dir."
        )
    for path, variable in variables.items():
        if not path.startswith(_METRICS):
            variable.assign(arrays[path])
        elif metrics:
            _assign_sum(variable, arrays[path])


def _assign_sum(variable, array):
    """Replicas add up their parts of a metric: one of them gets all of it.

    TensorFlow would give each an equal share, rounded.
    """
    parts = getattr(variable.value, "values", None)
    if parts is None or callable(parts):
        variable.assign(array)
        return
    for number, part in enumerate(parts):
        takes = number == 0 and this_worker().chief
        part.assign(array if takes else np.zeros_like(array))
