"""The loop that search and finetuning share: fit, log, checkpoint, resume."""

import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from lgcnet_tf.data import (
    Samples,
    steps_per_epoch,
    training_batches,
    training_dataset,
)
from lgcnet_tf.errors import InputError
from lgcnet_tf.files import write_json
from lgcnet_tf.run_folder import RunFolder
from lgcnet_tf.training.checkpoint import restore_checkpoint, save_checkpoint
from lgcnet_tf.training.losses import CrossEntropy

CHECKPOINTS = "checkpoints"
HISTORY = "history.json"


def compile_for_segmentation(
    model: keras.Model,
    optimizer: keras.optimizers.Optimizer,
    loss: CrossEntropy,
    num_classes: int,
) -> None:
    """Compiles `model` and builds its optimiser; call it in the strategy's scope.

    XLA makes a step on a CPU several times slower; JAX has nothing else.
    """
    model.compile(
        optimizer=optimizer,
        loss=loss,
        metrics=[
            keras.metrics.MeanIoU(
                num_classes,
                ignore_class=loss.void_label,
                sparse_y_pred=False,
                name="miou",
            )
        ],
        jit_compile=keras.backend.backend() != "tensorflow",
    )
    optimizer.build(model.trainable_variables)


def fit(
    model: keras.Model,
    samples: Samples,
    folder: RunFolder,
    *,
    epochs: int,
    batch_size: int,
    crop_size: tuple[int, int],
    seed: int,
    scale_range: tuple[float, float],
    on_epoch_begin: Callable[[int], None] = lambda epoch: None,
    on_epoch_end: Callable[[int], dict[str, float]] = lambda epoch: {},
) -> list[dict[str, Any]]:
    """Trains a compiled, built model to the last epoch, from where it stopped.

    Each epoch ends with a checkpoint of everything, an entry in `history.json`
    and TensorBoard events. Order and augmentation are functions of (seed,
    epoch), so a resumed run sees the same batches.

    Args:
        on_epoch_begin: called with the epoch, from 0.
        on_epoch_end: called likewise; its figures join the epoch's.

    Returns:
        One dict of figures per epoch.

    Raises:
        InputError: the loss became NaN or infinite; names the step and the
            last good checkpoint.
    """
    history: list[dict[str, Any]] = []
    restored = restore_checkpoint(model, folder / CHECKPOINTS)
    if restored:
        history = restored[1]["history"]
        folder.log.info("resumes after epoch %d of %d", restored[0], epochs)
    first = len(history)
    if first >= epochs:
        return history
    steps = steps_per_epoch(samples, batch_size)
    tensorflow = keras.backend.backend() == "tensorflow"
    make_batches = training_dataset if tensorflow else training_batches
    batches = make_batches(
        samples,
        batch_size,
        crop_size,
        seed,
        first_epoch=first,
        epochs=epochs - first,
        scale_range=scale_range,
    )

    class EpochEnd(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.epoch, self.started = epoch, time.monotonic()
            on_epoch_begin(epoch)

        def on_train_batch_end(self, batch, logs=None):
            loss = (logs or {}).get("loss", 0.0)
            if not np.isfinite(loss):
                self.fail(f"The loss became {loss} at step {batch + 1}")

        def fail(self, what):
            kept = sorted((folder / CHECKPOINTS).glob("epoch_*.npz"))
            raise InputError(
                f"{what} of epoch {self.epoch + 1}; lower the learning rate. Last "
                f"good checkpoint: {kept[-1] if kept else 'none yet'}"
            )

        def on_epoch_end(self, epoch, logs=None):
            if not all(np.isfinite(w).all() for w in model.get_weights()):
                self.fail("Weights became NaN or infinite at the last step")
            figures = {k: float(v) for k, v in (logs or {}).items()}
            figures |= on_epoch_end(epoch)
            figures["learning_rate"] = float(model.optimizer.learning_rate)
            figures["seconds"] = time.monotonic() - self.started
            logs.update(figures)
            history.append({"epoch": epoch + 1, **figures})
            write_json(folder / HISTORY, history)
            folder.write_scalars(epoch + 1, figures)
            save_checkpoint(
                model, folder / CHECKPOINTS, epoch + 1, {"history": history}
            )
            folder.log.debug(  # the bar says it on the terminal
                "epoch %d/%d %s",
                epoch + 1,
                epochs,
                " ".join(f"{k}={v:.4g}" for k, v in figures.items()),
            )

    model.fit(
        batches,
        epochs=epochs,
        initial_epoch=first,
        steps_per_epoch=steps,
        callbacks=[EpochEnd()],
        shuffle=False,  # the pipeline orders them
        verbose="auto",
    )
    return history
