"""The loop that search and finetuning share: fit, log, checkpoint, resume."""

import sys
import time
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from lgcnet_tf.data import (
    Samples,
    steps_per_epoch,
    training_batches,
    training_dataset,
)
from lgcnet_tf.data.labelled_images import LabelledImages
from lgcnet_tf.errors import InputError, WorkerLost
from lgcnet_tf.files import remove_leftovers, write_json
from lgcnet_tf.interruption import INTERRUPTION, Interrupted
from lgcnet_tf.run_folder import RunFolder
from lgcnet_tf.training.checkpoint import (
    Checkpoint,
    checkpoint_paths,
    load_checkpoint,
    restore,
    save_checkpoint,
    snapshot,
)
from lgcnet_tf.training.crop_schedule import CropSchedule
from lgcnet_tf.training.graphs import forget_kernels
from lgcnet_tf.training.loop import train
from lgcnet_tf.training.metrics import MeanIoU
from lgcnet_tf.training.options import TrainingOptions
from lgcnet_tf.training.progress import Progress
from lgcnet_tf.training.workers import this_worker

CHECKPOINTS = "checkpoints"
HISTORY = "history.json"


def compile_for_segmentation(
    model: keras.Model,
    optimizer: keras.optimizers.Optimizer,
    loss: keras.losses.Loss,
    num_classes: int,
) -> None:
    """Compiles `model`, builds optimiser and metrics; call it in the strategy's scope.

    XLA makes a step of TensorFlow on a CPU several times slower; JAX has nothing else,
    and PyTorch runs eagerly. What making the model left in TensorFlow is freed, so
    call it before data are read, too.
    """
    compile_built(
        model,
        optimizer,
        loss,
        [MeanIoU(num_classes, loss.void_label)],
        keras.KerasTensor((None, None, None), "int32"),
        keras.KerasTensor((None, None, None, num_classes)),
    )


def compile_built(
    model: keras.Model,
    optimizer: keras.optimizers.Optimizer,
    loss: keras.losses.Loss,
    metrics: list[keras.metrics.Metric],
    labels: keras.KerasTensor,
    logits: keras.KerasTensor,
) -> None:
    """Compiles `model`, builds optimiser and metrics for such labels and logits."""
    model.compile(
        optimizer=optimizer,
        loss=loss,
        metrics=metrics,
        jit_compile=keras.backend.backend() == "jax",
    )
    optimizer.build(model.trainable_variables)
    for metric in model.metrics:  # else at the first step: too late for a checkpoint
        if not getattr(metric, "built", True):
            metric.build(labels, logits)
    forget_kernels()


def fit(
    model: keras.Model,
    samples: Samples | LabelledImages,
    folder: RunFolder,
    options: TrainingOptions,
    *,
    strategy: Any = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    crops: CropSchedule | None = None,
    augmentation: Mapping[str, Any] = types.MappingProxyType({}),
    on_epoch_begin: Callable[[int], None] = lambda epoch: None,
    on_step_end: Callable[[], None] = lambda: None,
    on_epoch_end: Callable[[int], dict[str, float]] = lambda epoch: {},
) -> list[dict[str, Any]]:
    """Trains a compiled, built model to the last epoch, from where it stopped.

    Each epoch ends with a checkpoint of everything, an entry in `history.json`
    and TensorBoard events; a signal to stop leaves a checkpoint inside of an
    epoch. Order and augmentation are functions of (seed, epoch), so a resumed
    run sees the same batches. What the hooks need to keep over an interruption
    has to stand in variables of the model: those are saved.

    Args:
        samples: to train on; images with one label each for a classifier.
        options: the run's `seed`, `crop_size`, `scale_range`, `epochs` and
            `batch_size` are heeded.
        strategy: what the model was built under, or None.
        callbacks: called before what `fit` does itself after a step. The variables
            in the attribute `kept` of one, a dict by name, are saved and restored
            with the model's.
        crops: their sizes over the epochs; by default the options' `crop_size`. A
            callback has to bring the model to them (`GrowingCrops`).
        augmentation: more arguments of `training_batches`.
        on_epoch_begin: called with the epoch, from 0; once more when the run
            goes on inside of it.
        on_step_end: called after each step, outside of the graph.
        on_epoch_end: called with the epoch; its figures join the epoch's.

    Returns:
        One dict of figures per epoch.

    Raises:
        InputError: the loss became NaN or infinite; names the step and the
            last good checkpoint.
        Interrupted: the process was asked to stop; everything is saved.
    """
    crops = crops or CropSchedule((0.0,), (tuple(options.crop_size),))
    steps = steps_per_epoch(samples, options.batch_size)
    worker = this_worker()
    if folder.writes:
        remove_leftovers(folder.path)
        remove_leftovers(folder / CHECKPOINTS)
    hooks = on_epoch_begin, on_step_end, on_epoch_end
    kept = {}
    for callback in callbacks:
        kept |= getattr(callback, "kept", {})
    run = _Run(model, folder, options.epochs, steps, hooks, kept)
    saved = load_checkpoint(folder / CHECKPOINTS, folder.log)
    if saved:
        restore(model, saved, kept=kept)
        run.go_on(saved)
    epoch, step = (saved.epoch, saved.step) if saved else (0, 0)

    def train_part(epoch, step, epochs):
        tensorflow = keras.backend.backend() == "tensorflow"
        make_batches = training_dataset if tensorflow else training_batches
        batches = make_batches(
            samples,
            options.batch_size,
            crops.size_at(epoch, options.epochs),
            options.seed,
            first_epoch=epoch,
            first_step=step,
            epochs=epochs,
            scale_range=options.scale_range,
            part=(worker.index, worker.count),
            **augmentation,
        )
        train(
            model,
            batches,
            strategy=strategy,
            epochs=epoch + epochs,
            initial_epoch=epoch,
            steps_per_epoch=steps - step,
            callbacks=[*callbacks, run],
            verbose=0,  # `Progress` speaks
        )

    if step == steps:  # only what follows an epoch's last step
        run.on_epoch_begin(epoch)
        run.on_epoch_end(epoch, dict(saved.state["figures"]))
        epoch, step = epoch + 1, 0
    while epoch < options.epochs:  # the rest of an epoch, or epochs of one crop size
        part = 1 if step else crops.part(epoch, options.epochs)
        train_part(epoch, step, part)
        epoch, step = epoch + part, 0
    return run.history


class _Run(keras.callbacks.Callback):
    """Hooks, figures and checkpoints of a run, and where signals may end it."""

    def __init__(self, model, folder, epochs, steps, hooks, kept):
        super().__init__()
        self.kept = kept
        self.trained = model
        self.folder = folder
        self.epochs = epochs
        self.steps = steps
        self.begin_epoch, self.end_step, self.end_epoch = hooks
        terminal = sys.stderr if folder.writes else None
        self.progress = Progress(folder.log, epochs, steps, terminal)
        self.history: list[dict[str, Any]] = []
        self.resumed: Checkpoint | None = None

    def go_on(self, saved):
        self.history = saved.state["history"]
        where = f"epoch {saved.epoch} of {self.epochs}"
        if saved.step:
            self.resumed = saved
            where = self._place(saved.epoch, saved.step)
        self.folder.log.info("resumes after %s", where)
        if self.folder.writes:  # the run may have died between the two
            write_json(self.folder / HISTORY, self.history)
            self.folder.restart_events(saved.epoch + 1)

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch, self.first_step, self.started = epoch, 0, time.monotonic()
        self.begin_epoch(epoch)
        if self.resumed:
            # After the hook, which has been called for this epoch before.
            restore(self.trained, self.resumed, metrics=True, kept=self.kept)
            self.first_step = self.resumed.step
            self.started -= self.resumed.state["seconds"]
            self.resumed = None

    def on_train_batch_end(self, batch, logs=None):
        INTERRUPTION.defer()  # from here on there is something to save
        step = self.first_step + batch + 1
        loss = float((logs or {}).get("loss", 0.0))
        if not np.isfinite(loss):
            self._fail(f"The loss became {loss} at step {step}")
        self.end_step()
        self.progress.step(self.epoch, step, logs or {})
        if step == self.steps:
            return  # the epoch's end comes at once and takes care of it
        if this_worker().count == 1:
            stopping = INTERRUPTION.requested
        else:  # all workers stop after the same step
            stopping = self.trained.stop_training
            self.trained.stop_training |= INTERRUPTION.requested
        if stopping:
            self._leave(step, snapshot(self.trained, self.kept), {})

    def on_epoch_end(self, epoch, logs=None):
        INTERRUPTION.defer()
        if not all(np.isfinite(w).all() for w in self.trained.get_weights()):
            self._fail("Weights became NaN or infinite at the last step")
        figures = {k: float(v) for k, v in (logs or {}).items()}
        arrays = snapshot(
            self.trained, self.kept
        )  # before the hook, which may change it
        try:
            with INTERRUPTION.raising():
                added = self.end_epoch(epoch)
        except Interrupted:
            self._leave(self.steps, arrays, figures)
        figures |= added
        figures["learning_rate"] = float(self.trained.optimizer.learning_rate)
        figures["seconds"] = time.monotonic() - self.started
        logs.update(figures)
        self.history.append({"epoch": epoch + 1, **figures})
        arrays = snapshot(self.trained, self.kept)
        if self.folder.writes:
            write_json(self.folder / HISTORY, self.history)
            self.folder.write_scalars(epoch + 1, figures)
            self._save(arrays, {}, epoch + 1)
        self.progress.epoch(epoch, figures)
        if INTERRUPTION.requested:
            INTERRUPTION.leave(self._stopped(f"epoch {epoch + 1} of {self.epochs}"))
        INTERRUPTION.allow()

    def _save(self, arrays, state, epoch, step=0):
        state = {"history": self.history, **state}
        save_checkpoint(self.folder / CHECKPOINTS, arrays, state, epoch, step)

    def _leave(self, step, arrays, figures):
        """Saves inside an epoch and ends the run."""
        seconds = time.monotonic() - self.started
        if self.folder.writes:
            state = {"figures": figures, "seconds": seconds}
            self._save(arrays, state, self.epoch, step)
        message = self._stopped(self._place(self.epoch, step))
        if not INTERRUPTION.requested:
            raise WorkerLost(f"another worker was asked to stop; {message}")
        INTERRUPTION.leave(message)

    def _place(self, epoch, step):
        return f"step {step}/{self.steps} of epoch {epoch + 1} of {self.epochs}"

    def _stopped(self, where):
        message = f"stopped after {where}; the same command goes on from there."
        self.folder.log.debug(message)  # the binary says it on the terminal
        return message

    def _fail(self, what):
        kept = checkpoint_paths(self.folder / CHECKPOINTS)
        raise InputError(
            f"{what} of epoch {self.epoch + 1}; lower the learning rate. Last "
            f"good checkpoint: {kept[-1] if kept else 'none yet'}"
        )
