"""The loop that all trainings share: fit, log, checkpoint, resume."""

import types
from collections.abc import Mapping, Sequence
from typing import Any

import keras

from lgcnet_tf.data import (
    Samples,
    steps_per_epoch,
    training_batches,
    training_dataset,
)
from lgcnet_tf.data.labelled_images import LabelledImages
from lgcnet_tf.files import remove_leftovers
from lgcnet_tf.model.variables import named_alike
from lgcnet_tf.run_folder import CHECKPOINTS, RunFolder
from lgcnet_tf.training.batch_picture import BATCHES, BatchPicture
from lgcnet_tf.training.best import BestWeights
from lgcnet_tf.training.callbacks import Measure, in_order
from lgcnet_tf.training.checkpoint import load_checkpoint
from lgcnet_tf.training.crop_schedule import CropSchedule
from lgcnet_tf.training.graphs import forget_kernels
from lgcnet_tf.training.loop import train
from lgcnet_tf.training.metrics import MeanIoU
from lgcnet_tf.training.options import TrainingOptions
from lgcnet_tf.training.resumption import Checkpoints, Position
from lgcnet_tf.training.workers import this_worker


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
    with named_alike():
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
    measures: Sequence[Measure] = (),
    best: BestWeights | None = None,
    crops: CropSchedule | None = None,
    augmentation: Mapping[str, Any] = types.MappingProxyType({}),
) -> list[dict[str, Any]]:
    """Trains a compiled, built model to the last epoch, from where it stopped.

    Each epoch ends with a checkpoint of everything, an entry in `history.json`
    and TensorBoard events; a signal to stop leaves a checkpoint inside of an
    epoch. Order and augmentation are functions of (seed, epoch), so a resumed
    run sees the same batches. The first of them are drawn before the first step,
    where the options want pictures. What callbacks need to keep over an interruption
    has to stand in variables of the model: those are saved.

    Args:
        samples: to train on; images with one label each for a classifier.
        options: the run's `seed`, `crop_size`, `scale_range`, `epochs`,
            `batch_size` and `draws_batches` are heeded.
        strategy: what the model was built under, or None.
        callbacks: what acts on the model while it is trained, in this order; see
            `in_order` for their place among those of `fit`. `on_epoch_begin` is
            called once more when the run goes on inside of the epoch. The variables
            in the attribute `kept` of one, a dict by name, are saved and restored
            with the model's.
        measures: called at each epoch's end; their figures join the epoch's.
        best: keeps the best weights, if wanted.
        crops: their sizes over the epochs; by default the options' `crop_size`. A
            callback has to bring the model to them (`GrowingCrops`).
        augmentation: more arguments of `training_batches`.

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
    kept = {}
    for callback in callbacks:
        kept |= getattr(callback, "kept", {})
    position = Position(options.epochs, steps)
    checkpoints = Checkpoints(model, folder, position, kept)
    if best:
        best.follow(position, folder)
    if options.draws_batches and folder.writes:
        picture = BatchPicture(
            samples,
            crops.size_at(0, options.epochs),
            folder / BATCHES,
            batch_size=options.batch_size,
            seed=options.seed,
            scale_range=options.scale_range,
            **augmentation,
        )
        callbacks = [*callbacks, picture]
    ordered = in_order(position, callbacks, measures, checkpoints, best)
    saved = load_checkpoint(folder / CHECKPOINTS, folder.log)
    if saved:
        checkpoints.resume_from(saved)
        if best and not saved.step:
            best.save_if_best()
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
            callbacks=ordered,
            verbose=0,  # `ProgressLines` speaks
        )

    if step == steps:  # only what follows an epoch's last step
        calls = keras.callbacks.CallbackList(ordered, model=model)
        calls.on_epoch_begin(epoch)
        calls.on_epoch_end(epoch, dict(saved.state["figures"]))
        epoch, step = epoch + 1, 0
    while epoch < options.epochs:  # the rest of an epoch, or epochs of one crop size
        part = 1 if step else crops.part(epoch, options.epochs)
        train_part(epoch, step, part)
        epoch, step = epoch + part, 0
    return position.history
