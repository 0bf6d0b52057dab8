"""Steps and epochs: Keras' own loop, or a short one for several machines."""

import contextlib
from collections.abc import Iterable, Sequence
from typing import Any

import keras

from lgcnet_tf.errors import WorkerLost
from lgcnet_tf.training.workers import all_workers_agree, this_worker


def train(
    model: keras.Model,
    batches: Iterable,
    *,
    strategy: Any,
    epochs: int,
    initial_epoch: int,
    steps_per_epoch: int,
    callbacks: Sequence[keras.callbacks.Callback],
    verbose: str | int,
) -> None:
    """Trains a compiled, built model on the batches of all epochs left.

    Args:
        batches: a `tf.data.Dataset`, or an iterator on another backend. On
            several machines it has this worker's part of each batch.
        strategy: what the model was built under, or None.
        epochs: number of the last epoch, from 1.
        initial_epoch: epochs done before.
        verbose: as in Keras' `fit`; only the chief of several workers heeds it.

    Raises:
        WorkerLost: another machine is gone.
    """
    if this_worker().count > 1:
        _train_together(
            model,
            batches,
            strategy,
            range(initial_epoch, epochs),
            steps_per_epoch,
            callbacks,
            verbose,
        )
        return
    with _scope(strategy):
        model.fit(
            batches,
            epochs=epochs,
            initial_epoch=initial_epoch,
            steps_per_epoch=steps_per_epoch,
            callbacks=list(callbacks),
            shuffle=False,  # the pipeline orders them
            verbose=verbose,
        )


def _scope(strategy):
    """JAX's `fit` looks for the distribution again; TensorFlow's model knows it."""
    if keras.backend.backend() == "jax" and strategy is not None:
        return strategy.scope()
    return contextlib.nullcontext()


def _train_together(
    model, batches, strategy, epochs, steps_per_epoch, callbacks, verbose
):
    """Keras' `fit` on a `MultiWorkerMirroredStrategy`, with which its own fails.

    A callback that sets `model.stop_training` on one worker finds it set on all
    of them after the next step, where they can stop together.
    """
    import tensorflow as tf

    if not all_workers_agree(strategy, epochs.start, steps_per_epoch):
        raise WorkerLost("the workers have read different checkpoints.")
    replicas = strategy.num_replicas_in_sync // this_worker().count
    size = batches.element_spec[0].shape[0] // replicas
    iterator = iter(
        strategy.distribute_datasets_from_function(
            lambda context: batches.rebatch(size, drop_remainder=True)
        )
    )

    def replica_step(data, stop):
        return model.train_step(data), stop

    @tf.function(autograph=False, jit_compile=model.jit_compile)
    def step(data, stop):
        logs, stop = strategy.run(replica_step, args=(data, stop))
        # The same on all workers, that they may decide the same from them.
        logs = {k: strategy.reduce("MEAN", v, axis=None) for k, v in logs.items()}
        return logs, strategy.reduce("SUM", stop, axis=None)

    chief = this_worker().chief
    calls = keras.callbacks.CallbackList(
        list(callbacks),
        add_progbar=bool(verbose) and chief,
        verbose=verbose if chief else 0,
        epochs=epochs.stop,
        steps=steps_per_epoch,
        model=model,
    )
    model.stop_training = False
    calls.on_train_begin()
    logs = {}
    for epoch in epochs:
        model.reset_metrics()
        calls.on_epoch_begin(epoch)
        for number in range(steps_per_epoch):
            calls.on_train_batch_begin(number)
            logs, stop = step(next(iterator), tf.constant(float(model.stop_training)))
            logs = {name: float(value) for name, value in logs.items()}
            model.stop_training = bool(stop)
            calls.on_train_batch_end(number, logs)
        # All workers read them: that sums them up over the workers.
        logs = {k: float(v) for k, v in model.get_metrics_result().items()}
        calls.on_epoch_end(epoch, logs)
    calls.on_train_end(logs)
