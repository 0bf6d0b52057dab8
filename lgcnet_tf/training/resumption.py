"""Where a run stands, its checkpoints, and the signals that may end it."""

import time
from typing import Any, NoReturn

import keras
import numpy as np

from lgcnet_tf.errors import WorkerLost
from lgcnet_tf.files import write_json
from lgcnet_tf.interruption import INTERRUPTION
from lgcnet_tf.run_folder import CHECKPOINTS, HISTORY, RunFolder
from lgcnet_tf.training.checkpoint import (
    Checkpoint,
    Kept,
    restore,
    save_checkpoint,
    snapshot,
)
from lgcnet_tf.training.workers import this_worker


class Position(keras.callbacks.Callback):
    """Where a run stands; the other callbacks read it here.

    Args:
        epochs: of the whole run.
        steps: of an epoch.

    Attributes:
        epoch: the one that is under way, from 0.
        step: finished steps of that epoch.
        first_step: those of them that were finished before this process began.
        started: when the epoch would have begun, on the clock `time.monotonic`, had
            it never been interrupted.
        history: the figures of each finished epoch.
        kept_since: so many epochs were finished by a release that did not keep the
            best weights.
    """

    def __init__(self, epochs: int, steps: int):
        super().__init__()
        self.epochs, self.steps = epochs, steps
        self.epoch = self.step = self.first_step = 0
        self.started = time.monotonic()
        self.history: list[dict[str, Any]] = []
        self.kept_since = 0

    @property
    def seconds(self) -> float:
        """Seconds that the epoch under way has taken."""
        return time.monotonic() - self.started

    def after_epoch(self, count: int) -> str:
        """A place for messages: after `count` epochs."""
        return f"epoch {count} of {self.epochs}"

    def after_step(self, epoch: int, step: int) -> str:
        """A place for messages: after a step of an epoch, which counts from 0."""
        return f"step {step}/{self.steps} of epoch {epoch + 1} of {self.epochs}"

    def continue_epoch(self, step: int, seconds: float) -> None:
        """Says how far the epoch was when the run was interrupted in it."""
        self.step = self.first_step = step
        self.started -= seconds

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch, self.step, self.first_step = epoch, 0, 0
        self.started = time.monotonic()

    def on_train_batch_end(self, batch, logs=None):
        self.step = self.first_step + batch + 1


class DeferSignals(keras.callbacks.Callback):
    """Has signals wait as soon as there is something new to save."""

    def on_train_batch_end(self, batch, logs=None):
        INTERRUPTION.defer()

    def on_epoch_end(self, epoch, logs=None):
        INTERRUPTION.defer()


class Checkpoints(keras.callbacks.Callback):
    """Saves a run at each epoch's end, and resumes it.

    Args:
        model: the compiled model that is trained.
        folder: of the run.
        position: of the run; its history is saved and resumed.
        kept: variables to save with the model's, by name.
    """

    def __init__(
        self, model: keras.Model, folder: RunFolder, position: Position, kept: Kept
    ):
        super().__init__()
        self.trained = model  # `self.model` would sync the state of JAX
        self.folder = folder
        self.position = position
        self.kept = kept
        self._resumed: Checkpoint | None = None

    def resume_from(self, saved: Checkpoint) -> None:
        """Restores what was saved; metrics only when their epoch begins again."""
        restore(self.trained, saved, kept=self.kept)
        self.position.history = saved.state["history"]
        not_kept = saved.epoch if saved.step else saved.epoch - 1
        self.position.kept_since = saved.state.get("kept_since", max(0, not_kept))
        where = self.position.after_epoch(saved.epoch)
        if saved.step:
            self._resumed = saved
            where = self.position.after_step(saved.epoch, saved.step)
        self.folder.log.info("resumes after %s", where)
        if self.folder.writes:  # the run may have died between the two
            write_json(self.folder / HISTORY, self.position.history)
            self.folder.restart_events(saved.epoch + 1)

    def snapshot(self) -> dict[str, np.ndarray]:
        """Copies of all variables; all of several workers have to call it."""
        return snapshot(self.trained, self.kept)

    def save_and_stop(
        self, step: int, arrays: dict[str, np.ndarray], figures: dict[str, float]
    ) -> NoReturn:
        """Saves inside an epoch and ends the run.

        Args:
            step: finished steps of the epoch.
            arrays: a `snapshot`.
            figures: of the epoch, where its last step is done.

        Raises:
            Interrupted: this process was asked to stop.
            WorkerLost: another worker was.
        """
        position = self.position
        if self.folder.writes:
            state = {"figures": figures, "seconds": position.seconds}
            self._save(arrays, state, position.epoch, step)
        message = self.stopped_message(position.after_step(position.epoch, step))
        if not INTERRUPTION.requested:
            raise WorkerLost(f"another worker was asked to stop; {message}")
        INTERRUPTION.leave(message)

    def stopped_message(self, where: str) -> str:
        """What the command says as it stops; the log has it too."""
        message = f"stopped after {where}; the same command goes on from there."
        self.folder.log.debug(message)  # the binary says it on the terminal
        return message

    def on_epoch_begin(self, epoch, logs=None):
        if saved := self._resumed:
            restore(self.trained, saved, metrics=True, kept=self.kept)
            self.position.continue_epoch(saved.step, saved.state["seconds"])
            self._resumed = None

    def on_epoch_end(self, epoch, logs=None):
        arrays = self.snapshot()
        if self.folder.writes:
            self._save(arrays, {}, epoch + 1)

    def _save(self, arrays, state, epoch, step=0):
        kept_since = self.position.kept_since
        state = {"history": self.position.history, "kept_since": kept_since, **state}
        save_checkpoint(self.folder / CHECKPOINTS, arrays, state, epoch, step)


class HeedSignals(keras.callbacks.Callback):
    """Ends a run that was asked to stop, with everything saved.

    Of several workers all stop after the same step: one that is asked to sets
    `stop_training`, which they all find set after the next step (see `loop`).
    """

    def __init__(self, position: Position, checkpoints: Checkpoints):
        super().__init__()
        self.position = position
        self.checkpoints = checkpoints

    def on_train_batch_end(self, batch, logs=None):
        if self.position.step == self.position.steps:
            return  # the epoch's end comes at once and takes care of it
        trained = self.checkpoints.trained
        if this_worker().count == 1:
            stopping = INTERRUPTION.requested
        else:
            stopping = trained.stop_training
            trained.stop_training |= INTERRUPTION.requested
        if stopping:
            arrays = self.checkpoints.snapshot()
            self.checkpoints.save_and_stop(self.position.step, arrays, {})

    def on_epoch_end(self, epoch, logs=None):
        if INTERRUPTION.requested:
            where = self.position.after_epoch(epoch + 1)
            INTERRUPTION.leave(self.checkpoints.stopped_message(where))
        INTERRUPTION.allow()
