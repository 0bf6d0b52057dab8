"""Figures and pictures of a run for Weights & Biases or MLflow, as TensorBoard has them.

Neither is needed by this package: `pip install wandb` or `pip install mlflow`. Where
they keep what they get is for their own settings (`WANDB_MODE`, `WANDB_PROJECT`,
`MLFLOW_TRACKING_URI`, `MLFLOW_EXPERIMENT_NAME`).
"""

import io
import logging
import math
import pathlib
import re
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from PIL import Image

from lgcnet_tf.convert.packages import import_package
from lgcnet_tf.errors import InputError
from lgcnet_tf.files import read_json, write_json
from lgcnet_tf.training.settings import NO_TRACKER

RUN_FILE = "tracker.json"
"""In a run's folder: the tracker and its name for the run, for one that goes on."""

Pictures = Mapping[str, np.ndarray | bytes]
"""uint8 (height, width, 3), or the bytes of PNG files, by their names."""


class Tracker(Protocol):
    """Takes what the events of one run take; see `RunFolder.add_sink`.

    Attributes:
        run_id: the tracker's own name for the run.
    """

    run_id: str

    def scalars(self, step: int, figures: Mapping[str, Any]) -> None: ...

    def images(self, step: int, pictures: Pictures) -> None: ...

    def close(self, finished: bool) -> None: ...


class Forgiving:
    """A tracker whose failures end no run: after the first it gets nothing more.

    Args:
        tracker: gets all until then.
        log: is told of the failure.
    """

    def __init__(self, tracker: Tracker, log: logging.Logger):
        self._tracker, self._log, self._failed = tracker, log, False

    def scalars(self, step: int, figures: Mapping[str, Any]) -> None:
        self._try(self._tracker.scalars, step, figures)

    def images(self, step: int, pictures: Pictures) -> None:
        self._try(self._tracker.images, step, pictures)

    def close(self, finished: bool) -> None:
        """Ends the tracker's run, as finished or as broken off."""
        self._try(self._tracker.close, finished)

    def _try(self, function, *arguments):
        if self._failed:
            return
        try:
            function(*arguments)
        except Exception as error:  # of a service that is not ours
            self._failed = True
            reason = (str(error).splitlines() or [""])[0]
            self._log.warning(
                "the tracker gets nothing more: %s: %s", type(error).__name__, reason
            )


class WandbTracker:
    """A run of Weights & Biases.

    It takes steps in their order alone: what is of the whole run, step 0, becomes its
    summary.
    """

    def __init__(self, folder, name, settings, run_id):
        self._wandb = import_package("wandb", "--tracker=wandb")
        self._run = self._wandb.init(
            dir=str(folder), name=name, config=dict(settings), id=run_id, resume="allow"
        )
        self.run_id = self._run.id

    def scalars(self, step, figures):
        if step:
            self._run.log(numbers(figures), step=step)
        else:
            self._run.summary.update(numbers(figures))

    def images(self, step, pictures):
        shown = {n: self._wandb.Image(_array(p)) for n, p in pictures.items()}
        self._run.log(shown, step=step)

    def close(self, finished):
        self._run.finish(exit_code=0 if finished else 1)


class MlflowTracker:
    """A run of MLflow.

    Its names have letters, digits and a few signs alone: others, of classes, become _.
    """

    def __init__(self, folder, name, settings, run_id):
        self._mlflow = import_package("mlflow", "--tracker=mlflow")
        run = self._mlflow.start_run(run_id=run_id, run_name=name)
        self.run_id = run.info.run_id
        if run_id is None:
            self._mlflow.log_params(dict(settings))

    def scalars(self, step, figures):
        named = {self._name(tag): value for tag, value in numbers(figures).items()}
        self._mlflow.log_metrics(named, step=step)

    def images(self, step, pictures):
        for name, picture in pictures.items():
            key = self._name(name)
            self._mlflow.log_image(_array(picture), key=key, step=step)

    @staticmethod
    def _name(tag):
        return re.sub(r"[^\w.\- :/]", "_", tag)

    def close(self, finished):
        self._mlflow.end_run("FINISHED" if finished else "KILLED")


KINDS = {"wandb": WandbTracker, "mlflow": MlflowTracker}


def check_tracker(kind: str) -> None:
    """Makes sure, before anything is made, that a tracker's package is here.

    Raises:
        InputError: it is not installed; says how it is.
    """
    if kind != NO_TRACKER:
        import_package(kind, f"--tracker={kind}")


def open_tracker(
    kind: str, folder: pathlib.Path, settings: Mapping[str, Any]
) -> Tracker:
    """Opens a run of a tracker, or the one that a run of this folder had.

    Args:
        kind: one of `KINDS`.
        folder: the run's; its name is the tracker's name for the run.
        settings: the run's options, by name.

    Raises:
        InputError: there is no such tracker, it is not installed, or the folder has
            a run of another one.
    """
    if kind not in KINDS:
        raise InputError(
            f"tracker must be one of {', '.join(KINDS)}. Received: {kind!r}."
        )
    folder = pathlib.Path(folder)
    path = folder / RUN_FILE
    known = read_json(path) if path.exists() else {"tracker": kind, "run_id": None}
    if known["tracker"] != kind:
        raise InputError(
            f"{path}: the run's figures went to {known['tracker']}; go on with it, or "
            "remove the file."
        )
    tracker = KINDS[kind](folder, folder.resolve().name, settings, known["run_id"])
    write_json(path, {"tracker": kind, "run_id": tracker.run_id})
    return tracker


def numbers(figures: Mapping[str, Any]) -> dict[str, float]:
    """The finite numbers among figures, as the events take them."""
    return {
        name: float(value)
        for name, value in figures.items()
        if isinstance(value, int | float)
        and not isinstance(value, bool)
        and math.isfinite(value)
    }


def _array(picture):
    if isinstance(picture, bytes):
        picture = Image.open(io.BytesIO(picture)).convert("RGB")
    return np.asarray(picture)
