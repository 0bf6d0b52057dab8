"""Several machines, one process each, as TF_CONFIG lists them."""

import contextlib
import dataclasses
import json
import os
import sys
from collections.abc import Iterator
from typing import Any

from lgcnet_tf.errors import InputError, WorkerLost


@dataclasses.dataclass(frozen=True)
class Worker:
    """This process among those that train together.

    Args:
        index: from 0, the chief, who alone writes the run's files.
        addresses: `host:port` of every worker; one or none is a single machine.
    """

    index: int = 0
    addresses: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        return max(1, len(self.addresses))

    @property
    def chief(self) -> bool:
        return self.index == 0


def this_worker() -> Worker:
    """What TF_CONFIG says; a single worker where it is not set.

    Raises:
        InputError: TF_CONFIG is not of the form TensorFlow documents, or names
            other tasks than `chief` and `worker`.
    """
    text = os.environ.get("TF_CONFIG", "").strip()
    if not text:
        return Worker()
    form = (
        'it takes {"cluster": {"worker": ["host:port", ...]}, '
        '"task": {"type": "worker", "index": 0}}'
    )
    try:
        config = json.loads(text)
        cluster, task = config.get("cluster", {}), config.get("task", {})
        tasks = [
            (kind, index, address)
            for kind in ("chief", "worker")
            for index, address in enumerate(cluster.get(kind, ()))
        ]
        others = sorted(set(cluster) - {"chief", "worker"})
        own = (task.get("type", "worker"), int(task.get("index", 0)))
    except (ValueError, TypeError, AttributeError):
        raise InputError(
            f"TF_CONFIG cannot be read: {form}. Received: {text}"
        ) from None
    if others:
        raise InputError(f"TF_CONFIG names tasks {', '.join(others)}; {form}.")
    if len(tasks) < 2:
        return Worker()
    places = [(kind, index) for kind, index, _ in tasks]
    if own not in places:
        raise InputError(
            f"TF_CONFIG: its task {own[0]} {own[1]} is not one of its cluster's: {text}"
        )
    return Worker(places.index(own), tuple(address for *_, address in tasks))


def join_cluster(worker: Worker) -> Any:
    """Waits for the other workers and makes the strategy of them all.

    Raises:
        InputError: TensorFlow has started already, or the own address cannot
            be listened on.
    """
    import tensorflow as tf

    others = [a for i, a in enumerate(worker.addresses) if i != worker.index]
    print(
        f"worker {worker.index} of {worker.count} waits for {', '.join(others)}",
        file=sys.stderr,
        flush=True,
    )
    try:
        return tf.distribute.MultiWorkerMirroredStrategy()
    except RuntimeError as error:
        raise InputError(
            f"TF_CONFIG: workers can join only before TensorFlow starts: {error}"
        ) from None
    except tf.errors.UnknownError as error:
        raise InputError(
            f"TF_CONFIG: cannot listen on {worker.addresses[worker.index]}, this "
            f"worker's address: {error.message}"
        ) from None


@contextlib.contextmanager
def translate_worker_loss() -> Iterator[None]:
    """Turns TensorFlow's errors on the loss of a worker into `WorkerLost`."""
    if this_worker().count == 1:
        yield
        return
    import tensorflow as tf

    errors = tf.errors
    lost = (
        errors.UnavailableError,
        errors.AbortedError,
        errors.CancelledError,
        errors.DeadlineExceededError,
    )
    try:
        yield
    except errors.OpError as error:
        if not isinstance(error, lost) and "Collective" not in str(error):
            raise
        raise WorkerLost(f"another worker was lost ({_reason(error)}).") from None


def _reason(error):
    """TensorFlow's own words, without the place in the graph."""
    lines = [line.strip() for line in str(error.message).splitlines() if line.strip()]
    named = [line for line in lines if "aborted by" in line] or lines or [""]
    text = named[0].rpartition("aborted by: ")[2]
    return text.rstrip(".:").strip()[:160]


def all_workers_agree(strategy: Any, *numbers: int) -> bool:
    """Whether every worker came here with the same numbers; waits for them all."""
    import tensorflow as tf

    rows = strategy.gather(tf.constant([numbers]), axis=0).numpy()
    return bool((rows == rows[0]).all())


@contextlib.contextmanager
def finish_together(strategy: Any, worker: Worker, epochs: int) -> Iterator[None]:
    """Keeps every worker until all have left the block, which follows training.

    In it the chief writes the results. A worker that left earlier could not
    train again with a chief that is killed before it has written them; the
    chief, who has, does not mind the others.

    Raises:
        WorkerLost: the chief is gone.
    """
    try:
        yield
    finally:
        if worker.count > 1:
            try:
                with translate_worker_loss():
                    all_workers_agree(strategy, epochs)
            except WorkerLost:
                if not worker.chief:
                    raise
