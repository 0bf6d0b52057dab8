"""Figures of a run for Weights & Biases or MLflow, beside TensorBoard's events.

Neither is needed by this package: `pip install wandb` or `pip install mlflow`. Where
they keep the figures is for their own settings (`WANDB_MODE`, `WANDB_PROJECT`,
`MLFLOW_TRACKING_URI`, `MLFLOW_EXPERIMENT_NAME`).
"""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import keras

from lgcnet_tf.convert.packages import import_package
from lgcnet_tf.errors import InputError
from lgcnet_tf.files import read_json, write_json

RUN_FILE = "tracker.json"
"""In a run's folder: the tracker and its name for the run, for one that goes on."""


class Tracker(Protocol):
    """Takes the figures of one run."""

    run_id: str

    def log(self, step: int, figures: Mapping[str, float]) -> None: ...

    def close(self) -> None: ...


class WandbTracker:
    """A run of Weights & Biases."""

    def __init__(self, folder, name, settings, run_id):
        wandb = import_package("wandb", "wandb")
        self._run = wandb.init(
            dir=str(folder), name=name, config=dict(settings), id=run_id, resume="allow"
        )
        self.run_id = self._run.id

    def log(self, step, figures):
        self._run.log(dict(figures), step=step)

    def close(self):
        self._run.finish()


class MlflowTracker:
    """A run of MLflow."""

    def __init__(self, folder, name, settings, run_id):
        self._mlflow = import_package("mlflow", "mlflow")
        run = self._mlflow.start_run(run_id=run_id, run_name=name)
        self.run_id = run.info.run_id
        if run_id is None:
            self._mlflow.log_params(dict(settings))

    def log(self, step, figures):
        self._mlflow.log_metrics(dict(figures), step=step)

    def close(self):
        self._mlflow.end_run()


TRACKERS = {"wandb": WandbTracker, "mlflow": MlflowTracker}


def open_tracker(
    kind: str, folder: pathlib.Path, settings: Mapping[str, Any]
) -> Tracker:
    """Opens a run of a tracker, or the one that a run of this folder had.

    Args:
        kind: one of `TRACKERS`.
        folder: the run's; its name is the tracker's name for the run.
        settings: the run's options, by name.

    Raises:
        InputError: there is no such tracker, it is not installed, or the folder has
            a run of another one.
    """
    if kind not in TRACKERS:
        raise InputError(
            f"tracker must be one of {', '.join(TRACKERS)}. Received: {kind!r}."
        )
    path = pathlib.Path(folder) / RUN_FILE
    known = read_json(path) if path.exists() else {"tracker": kind, "run_id": None}
    if known["tracker"] != kind:
        raise InputError(
            f"{path}: the run's figures went to {known['tracker']}; go on with it, or "
            "remove the file."
        )
    tracker = TRACKERS[kind](
        pathlib.Path(folder), pathlib.Path(folder).name, settings, known["run_id"]
    )
    write_json(path, {"tracker": kind, "run_id": tracker.run_id})
    return tracker


class TrackerFigures(keras.callbacks.Callback):
    """Gives a tracker what is recorded at the end of each epoch.

    It stands behind what appends to the history. Epochs that were recorded before the
    run began to go on were given before, too.

    Args:
        tracker: of `open_tracker`.
        history: figures of each epoch, `epoch` among them; grows while the run goes on.
    """

    def __init__(self, tracker: Tracker, history: Sequence[Mapping[str, Any]]):
        super().__init__()
        self._tracker, self._history, self._given = tracker, history, 0

    def on_train_begin(self, logs=None):
        self._given = max(self._given, len(self._history))

    def on_epoch_end(self, epoch, logs=None):
        for entry in self._history[self._given :]:
            self._tracker.log(entry["epoch"], _numbers(entry))
        self._given = len(self._history)


def _numbers(entry: Mapping[str, Any]) -> dict[str, float]:
    """The numbers of an entry, those of nested dicts by `outer/inner`."""
    numbers: dict[str, float] = {}
    for name, value in entry.items():
        if isinstance(value, Mapping):
            numbers |= {f"{name}/{k}": v for k, v in _numbers(value).items()}
        elif name != "epoch" and isinstance(value, int | float):
            numbers[name] = float(value)
    return numbers
