"""Requests of several clients run as one batch, as `--batching_parameters_file` says."""

import dataclasses
import os
import pathlib
import threading
import time
from collections.abc import Callable, Hashable

import numpy as np
from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    message_factory,
    text_format,
    wrappers_pb2,
)

from lgcnet_tf.errors import InputError
from lgcnet_tf.serving.status import one_line

_MOST_THREADS = 64
Run = Callable[[np.ndarray], dict[str, np.ndarray]]


@dataclasses.dataclass(frozen=True)
class BatchingParameters:
    """What TensorFlow Serving's parameters file sets; its defaults.

    Attributes:
        max_batch_size: images of a batch at most.
        batch_timeout_micros: how long the first request waits for company, in µs.
        max_enqueued_batches: batches that may wait.
        num_batch_threads: batches computed at the same time; 0 for the cores.
        allowed_batch_sizes: a batch is filled up to the next of them; any where
            empty.
    """

    max_batch_size: int = 1000
    batch_timeout_micros: int = 0
    max_enqueued_batches: int = 10
    num_batch_threads: int = 0
    allowed_batch_sizes: tuple[int, ...] = ()

    def filled(self, size: int) -> int:
        """The size that a batch of `size` images is filled up to."""
        return min((n for n in self.allowed_batch_sizes if n >= size), default=size)


def read_batching_parameters(path: str | os.PathLike) -> BatchingParameters:
    """Reads a `BatchingParameters` text proto.

    Raises:
        InputError: the file cannot be read, is none, or its numbers cannot be.
    """
    try:
        found = text_format.Parse(pathlib.Path(path).read_text(), _message())
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {error}.") from None
    except text_format.ParseError as error:
        raise InputError(
            f"{path}: no BatchingParameters: {one_line(str(error))}; expected lines such "
            "as max_batch_size { value: 8 }"
        ) from None
    values = {
        field.name: getattr(found, field.name).value
        for field in found.DESCRIPTOR.fields
        if field.message_type is not None and found.HasField(field.name)
    }
    sizes = tuple(found.allowed_batch_sizes)
    parameters = BatchingParameters(**values, allowed_batch_sizes=sizes)
    if min(values.values(), default=0) < 0 or parameters.max_batch_size < 1:
        raise InputError(
            f"{path}: no number may be negative, nor max_batch_size 0; set larger ones."
        )
    if sizes and (
        sorted(set(sizes)) != list(sizes)
        or sizes[0] < 1
        or sizes[-1] != parameters.max_batch_size
    ):
        raise InputError(
            f"{path}: allowed_batch_sizes must rise to max_batch_size, "
            f"{parameters.max_batch_size}. Received: {list(sizes)}"
        )
    return parameters


class Batcher:
    """Joins what threads ask for at about the same time.

    The first of a batch waits for others until it is full or the time is over, and
    runs it for all. Where it fails each is run by itself, so that one bad picture
    fails alone.

    Args:
        parameters: see there.
    """

    def __init__(self, parameters: BatchingParameters):
        self._parameters = parameters
        self._open: dict[Hashable, _Batch] = {}
        self._changed = threading.Condition()
        self._threads = threading.BoundedSemaphore(
            parameters.num_batch_threads or os.cpu_count() or 1
        )

    @property
    def threads(self) -> int:
        """Requests that must be in work at once for a batch to become full."""
        return min(self._parameters.max_batch_size, _MOST_THREADS)

    @property
    def max_queue(self) -> int:
        """Requests that may wait."""
        parameters = self._parameters
        return max(1, parameters.max_enqueued_batches * parameters.max_batch_size)

    def alone(self, values: np.ndarray, run: Run) -> dict[str, np.ndarray]:
        """Runs `values` by itself once a thread is free; otherwise as `run`."""
        with self._threads:
            return run(values)

    def run(
        self, key: Hashable, values: np.ndarray, run: Run, most: int
    ) -> dict[str, np.ndarray]:
        """Runs `values` with those of other threads that have the same key.

        Args:
            key: what can be run together: the version, signature and outputs.
            values: the images or files.
            run: takes a batch, gives the outputs by name, batch first.
            most: so many at once, besides `max_batch_size`.

        Returns:
            The outputs of `values` alone.

        Raises:
            Exception: what `run` raises for `values` alone.
        """
        most = min(most, self._parameters.max_batch_size)
        if len(values) >= most:
            return self.alone(values, run)
        with self._changed:
            batch = self._open.get(key)
            leads = batch is None or batch.size + len(values) > most
            if leads:
                if batch is not None:
                    batch.closed = True
                batch = self._open[key] = _Batch()
                self._changed.notify_all()
            first = batch.size
            batch.parts.append(values)
            batch.size += len(values)
            if batch.size >= most:
                self._close(key, batch)
        if leads:
            self._lead(key, batch, run)
        else:
            batch.done.wait()
        if batch.outputs is None:
            return self.alone(values, run)
        last = first + len(values)
        return {name: one[first:last] for name, one in batch.outputs.items()}

    def _lead(self, key: Hashable, batch: "_Batch", run: Run) -> None:
        end = time.monotonic() + self._parameters.batch_timeout_micros / 1e6
        with self._changed:
            while not batch.closed and (left := end - time.monotonic()) > 0:
                self._changed.wait(left)
        with self._threads:
            with self._changed:  # those that came while no thread was free are in
                self._close(key, batch)
            try:
                if len(batch.parts) > 1:
                    whole = np.concatenate(batch.parts)
                    fill = self._parameters.filled(len(whole)) - len(whole)
                    batch.outputs = run(
                        np.concatenate([whole, whole[:1].repeat(fill, 0)])
                    )
            except Exception:
                batch.outputs = None
            finally:
                batch.done.set()

    def _close(self, key: Hashable, batch: "_Batch") -> None:
        batch.closed = True
        if self._open.get(key) is batch:
            del self._open[key]
        self._changed.notify_all()


@dataclasses.dataclass
class _Batch:
    """Requests that are run together; `outputs` stays None where they could not."""

    parts: list[np.ndarray] = dataclasses.field(default_factory=list)
    size: int = 0
    closed: bool = False
    outputs: dict[str, np.ndarray] | None = None
    done: threading.Event = dataclasses.field(default_factory=threading.Event)


def _message():
    """An empty `BatchingParameters`; its .proto is in no package of Python's."""
    pool = descriptor_pool.DescriptorPool()
    wrappers = descriptor_pb2.FileDescriptorProto()
    wrappers_pb2.DESCRIPTOR.CopyToProto(wrappers)
    pool.Add(wrappers)
    file = descriptor_pb2.FileDescriptorProto(
        name="batching.proto", syntax="proto3", dependency=[wrappers.name]
    )
    message = file.message_type.add(name="BatchingParameters")
    field = descriptor_pb2.FieldDescriptorProto
    for number, name in (
        (1, "max_batch_size"),
        (3, "batch_timeout_micros"),
        (4, "max_enqueued_batches"),
        (5, "num_batch_threads"),
    ):
        message.field.add(
            name=name,
            number=number,
            type=field.TYPE_MESSAGE,
            label=field.LABEL_OPTIONAL,
            type_name=".google.protobuf.Int64Value",
        )
    message.field.add(
        name="allowed_batch_sizes",
        number=6,
        type=field.TYPE_INT64,
        label=field.LABEL_REPEATED,
    )
    pool.Add(file)
    found = pool.FindMessageTypeByName("BatchingParameters")
    return message_factory.GetMessageClass(found)()
