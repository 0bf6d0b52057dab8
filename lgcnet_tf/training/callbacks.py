"""What a run does besides training: named callbacks, and the one order of them all.

Exact resumption hangs on that order, which `in_order` alone decides.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import NoReturn

import keras
import numpy as np

from lgcnet_tf.errors import InputError
from lgcnet_tf.files import write_json
from lgcnet_tf.interruption import INTERRUPTION, Interrupted
from lgcnet_tf.run_folder import CHECKPOINTS, HISTORY, RunFolder
from lgcnet_tf.training.best import BestWeights
from lgcnet_tf.training.checkpoint import checkpoint_paths
from lgcnet_tf.training.progress import Progress
from lgcnet_tf.training.resumption import (
    Checkpoints,
    DeferSignals,
    HeedSignals,
    Position,
)

Measure = Callable[[int], Mapping[str, float]]
"""Looks at a run at the end of an epoch, counted from 0: its figures by name."""


def in_order(
    position: Position,
    acting: Sequence[keras.callbacks.Callback],
    measures: Sequence[Measure],
    checkpoints: Checkpoints,
    best: BestWeights | None = None,
) -> list[keras.callbacks.Callback]:
    """All callbacks of a run in the order in which Keras has to call them.

    When an epoch begins, those that act on the model do so, and then a run that goes
    on inside of the epoch gets back what was saved: all that they did is in it.

    After a step signals wait, as there is something to save; what comes next must
    not see a loss that is no number; those that act on the model finish the step;
    and at last the run may stop, with everything saved.

    When an epoch ends, what is measured comes before the record and the record before
    the checkpoint that has it, and the best weights after both. A run that is stopped while it measures saves what
    was there before. The line in the log says what is on disk already.
    """
    return [
        position,
        DeferSignals(),
        RefuseDivergence(position, checkpoints),
        *acting,
        Measurements(position, measures, checkpoints),
        Record(position, checkpoints.folder),
        checkpoints,
        *([best] if best else []),
        ProgressLines(position, checkpoints.folder),
        HeedSignals(position, checkpoints),
    ]


class RefuseDivergence(keras.callbacks.Callback):
    """Ends a run whose loss or weights are no numbers any more.

    Raises:
        InputError: names the step and the last good checkpoint.
    """

    def __init__(self, position: Position, checkpoints: Checkpoints):
        super().__init__()
        self.position = position
        self.checkpoints = checkpoints

    def on_train_batch_end(self, batch, logs=None):
        loss = float((logs or {}).get("loss", 0.0))
        if not np.isfinite(loss):
            self._raise_diverged(f"The loss became {loss} at step {self.position.step}")

    def on_epoch_end(self, epoch, logs=None):
        weights = self.checkpoints.trained.get_weights()
        if not all(np.isfinite(weight).all() for weight in weights):
            self._raise_diverged("Weights became NaN or infinite at the last step")

    def _raise_diverged(self, what) -> NoReturn:
        good = checkpoint_paths(self.checkpoints.folder / CHECKPOINTS)
        raise InputError(
            f"{what} of epoch {self.position.epoch + 1}; lower the learning rate. Last "
            f"good checkpoint: {good[-1] if good else 'none yet'}"
        )


class Measurements(keras.callbacks.Callback):
    """Adds what is measured at an epoch's end to its figures.

    Measuring may take long, so a signal ends it at once. What is saved then is what
    was there before: the run that goes on measures again.

    Args:
        measures: called with the epoch, from 0.
    """

    def __init__(
        self,
        position: Position,
        measures: Sequence[Measure],
        checkpoints: Checkpoints,
    ):
        super().__init__()
        self.position = position
        self.measures = measures
        self.checkpoints = checkpoints

    def on_epoch_end(self, epoch, logs=None):
        figures = {name: float(value) for name, value in logs.items()}
        arrays = self.checkpoints.snapshot()
        try:
            with INTERRUPTION.raising():
                for measure in self.measures:
                    logs.update(measure(epoch))
        except Interrupted:
            self.checkpoints.save_and_stop(self.position.steps, arrays, figures)


class Record(keras.callbacks.Callback):
    """Writes an epoch's figures into `history.json` and the events."""

    def __init__(self, position: Position, folder: RunFolder):
        super().__init__()
        self.position = position
        self.folder = folder

    def on_epoch_end(self, epoch, logs=None):
        logs["learning_rate"] = self.model.optimizer.learning_rate
        logs["seconds"] = self.position.seconds
        figures = {name: float(value) for name, value in logs.items()}
        logs.update(figures)
        self.position.history.append({"epoch": epoch + 1, **figures})
        if self.folder.writes:
            write_json(self.folder / HISTORY, self.position.history)
            self.folder.write_scalars(epoch + 1, figures)


class ProgressLines(keras.callbacks.Callback):
    """A line in the log for each epoch, a bar for its steps on a terminal."""

    def __init__(self, position: Position, folder: RunFolder):
        super().__init__()
        self.position = position
        terminal = sys.stderr if folder.writes else None
        self.progress = Progress(folder.log, position.epochs, position.steps, terminal)

    def on_train_batch_end(self, batch, logs=None):
        self.progress.step(self.position.epoch, self.position.step, logs or {})

    def on_epoch_end(self, epoch, logs=None):
        self.progress.epoch(epoch, logs or {})
