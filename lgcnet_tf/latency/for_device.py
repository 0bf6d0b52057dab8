"""Measuring on a device without TensorFlow: what goes there and what comes back.

A folder with the models of all that is to be timed, converted here, goes to the device
together with `device.time_models` and the files that it shares with this package. What
comes back is one file of times.
"""

import dataclasses
import math
import os
import pathlib
import shutil
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np

from lgcnet_tf.errors import InputError
from lgcnet_tf.files import atomic_write, read_json, write_json
from lgcnet_tf.latency import timing
from lgcnet_tf.latency.device import machine, sessions, time_models
from lgcnet_tf.latency.measure import (
    TOGETHER,
    build_network,
    build_workload,
    reference_workload,
)
from lgcnet_tf.latency.runtimes import get_runtime
from lgcnet_tf.latency.runtimes.base import EMPTY_SHAPE, Runtime
from lgcnet_tf.latency.samples import SampleStore
from lgcnet_tf.latency.table import LatencyEntry, LatencyTable
from lgcnet_tf.space.genotype import Genotype
from lgcnet_tf.space.skeleton import Size, Skeleton
from lgcnet_tf.space.workloads import Workload, space_id

MODELS = "models"
PLAN = time_models.PLAN

ROUGH_US = {"elements": 1e-3, "macs": 1e-4}
"""Of each value that is read or written, and of each multiply-accumulate."""

Progress = Callable[[str, int, int], None]


@dataclasses.dataclass(frozen=True)
class Measured:
    """What samples are of: they make a table of nothing else.

    Attributes:
        runtime, precision, batch_size, input_size: as in `LatencyTable`.
        space_id: of the search space.
    """

    runtime: str
    precision: str
    input_size: Size
    batch_size: int
    space_id: str

    @classmethod
    def of(
        cls,
        runtime: str,
        precision: str,
        skeleton: Skeleton,
        input_size: Size,
        batch_size: int,
    ) -> "Measured":
        size = tuple(input_size)
        return cls(runtime, precision, size, batch_size, space_id(skeleton, size))

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self) | {"input_size": list(self.input_size)}


@dataclasses.dataclass(frozen=True)
class DeviceRuntime:
    """What samples were taken on: stands for a `Runtime` where nothing is timed.

    Attributes:
        name, version, device, precision, threads: as of a `Runtime`.
        date: when the samples were taken, ISO 8601.
    """

    name: str
    version: str
    device: str
    precision: str
    threads: int
    date: str


def converter_for(measured: Measured, images: Sequence[np.ndarray] = ()) -> Runtime:
    """The runtime that converts for the device.

    Args:
        images: as for `get_runtime`.

    Raises:
        InputError: its package is missing here, or it has no such precision.
    """
    precision = measured.precision
    if measured.runtime == "openvino" and precision != "int8":
        precision = "float32"  # a setting of the device: this machine need not have it
    return get_runtime(measured.runtime, None, precision, images)


def write_folder(
    folder: str | os.PathLike,
    measured: Measured,
    converter: Runtime,
    skeleton: Skeleton,
    operations: Sequence[Workload],
    networks: Mapping[str, Genotype],
    repeats: int,
    network_repeats: int,
    warmup: int,
    threads: int,
    progress: Progress | None = None,
) -> None:
    """Converts all that is to be timed, and writes the script that times it.

    Models that are there from an interrupted call for the same are kept.

    Args:
        folder: made if absent.
        measured: what it is for.
        converter: its `convert` is used; nothing runs.
        skeleton: of the search space.
        operations, networks: what is timed; networks by name.
        repeats, network_repeats, warmup: as for `measure_table`, `measure_networks`.
        threads: of the device's CPU; 0 for all.
        progress: told about every model.

    Raises:
        InputError: the disk is full, or a package that converts is missing.
    """
    folder, size, batch = pathlib.Path(folder), measured.input_size, measured.batch_size
    suffix = sessions.SESSIONS[measured.runtime].suffix

    def file(kind, number=""):
        return f"{MODELS}/{kind}{number}{suffix}"

    plan = {
        **measured.to_dict(),
        "facts": list(measured.to_dict()),
        "threads": threads,
        "repeats": repeats,
        "network_repeats": network_repeats,
        "warmup": warmup,
        "together": TOGETHER,
        "empty": file("empty"),
        "reference": file("reference"),
        "operations": {w.key: file("operation_", i) for i, w in enumerate(operations)},
        "networks": {name: file("network_", i) for i, name in enumerate(networks)},
    }
    if not (folder / PLAN).exists() or read_json(folder / PLAN) != plan:
        shutil.rmtree(folder / MODELS, ignore_errors=True)
        write_json(folder / PLAN, plan)
    for module in (time_models, timing, sessions, machine):
        with atomic_write(folder / pathlib.Path(module.__file__).name) as temporary:
            shutil.copyfile(module.__file__, temporary)

    import keras

    reference = reference_workload(skeleton, size)
    jobs = [
        (plan["empty"], keras.layers.ReLU, EMPTY_SHAPE, "float32"),
        (
            plan["reference"],
            lambda: build_workload(reference),
            (1, *reference.input_shape),
            "float32",
        ),
    ]
    for work in operations:
        build = lambda work=work: build_workload(work)
        shape = (batch, *work.input_shape)
        jobs.append((plan["operations"][work.key], build, shape, "float32"))
    for name, genotype in networks.items():
        build = lambda genotype=genotype: build_network(genotype, size)
        jobs.append((plan["networks"][name], build, (batch, *size, 3), "uint8"))
    for done, (path, build, shape, dtype) in enumerate(jobs, 1):
        if not (folder / path).exists():
            model = converter.convert(build(), shape, dtype)
            with atomic_write(folder / path) as temporary:
                temporary.write_bytes(model)
        if progress:
            progress("converting", done, len(jobs))


def read_samples(
    path: str | os.PathLike,
    measured: Measured,
    operations: Collection[str],
    networks: Collection[str],
    network_count: int,
    repeats: int,
    network_repeats: int,
) -> tuple[DeviceRuntime, SampleStore]:
    """The times that `device.time_models` took.

    Args:
        path: its `samples.json`.
        measured: what they must be of.
        operations: keys of the workloads that it must have.
        networks: names of the networks that it may have.
        network_count: how many of them it must have.
        repeats, network_repeats: how many times of each at least.

    Returns:
        What they were taken on, and the samples. The file is left as it is.

    Raises:
        InputError: it is damaged, of something else, or not complete.
    """
    facts = _facts(path)
    for name, wanted in measured.to_dict().items():
        if facts.get(name) != wanted:
            raise InputError(
                f"{path}: of another {name.replace('_', ' ')} "
                f"({_shown(facts.get(name))}) than is wanted here ({_shown(wanted)})."
            )
    store = SampleStore(path)
    store.path = None
    for group, known, least in (
        ("operations", operations, repeats),
        ("networks", networks, network_repeats),
    ):
        kept = getattr(store, group)
        if unknown := set(kept) - set(known):
            raise InputError(
                f"{path}: has times of {min(unknown)!r}, which is not wanted here."
            )
        for key in operations if group == "operations" else kept:
            if (count := len(kept.get(key, ()))) < least:
                raise _incomplete(path, f"{count} of {least} times of {key!r}")
            if not all(map(math.isfinite, kept[key])):
                raise InputError(f"{path}: has times of {key!r} that are no numbers.")
    if len(store.networks) != network_count:
        there = f"{len(store.networks)} of {network_count} networks"
        raise _incomplete(path, there)
    for key, times in (*store.networks.items(), ("the reference", store.reference)):
        if not times or not min(times) > 0:
            raise InputError(f"{path}: has times of {key!r} that are not above 0.")
    try:
        runtime = DeviceRuntime(
            name=measured.runtime,
            version=str(facts["runtime_version"]),
            device=str(facts["device"]),
            precision=measured.precision,
            threads=int(facts["threads"]),
            date=str(facts["date"]),
        )
    except (KeyError, TypeError, ValueError):
        raise InputError(f"{path}: does not say what it was taken on.") from None
    return runtime, store


def _incomplete(path, there):
    return InputError(
        f"{path}: not complete, it has {there}; run time_models.py to its end, with the "
        "folder that was made for these options."
    )


def _facts(path):
    found = read_json(path)
    facts = found.get("facts") if isinstance(found, dict) else None
    if not isinstance(facts, dict):
        raise InputError(f"{path}: not written by time_models.py: lacks its facts.")
    return facts


def _shown(value):
    return "x".join(map(str, value)) if isinstance(value, list) else value


def folder_size(folder: str | os.PathLike) -> tuple[int, int]:
    """How many files a folder has, and how many bytes."""
    sizes = [p.stat().st_size for p in pathlib.Path(folder).rglob("*") if p.is_file()]
    return len(sizes), sum(sizes)


def rough_table(measured: Measured, skeleton: Skeleton, operations) -> LatencyTable:
    """Times of no device, good enough to choose networks that differ by.

    They are proportional to the values that an operation reads and writes, and to its
    multiply-accumulates.
    """
    entries = {}
    for work in operations:
        variables = build_workload(work).variables
        elements = math.prod(work.input_shape) + math.prod(work.output_shape)
        pixels = math.prod(work.output_shape[:2])
        macs = pixels * sum(math.prod(v.shape) for v in variables)
        rough_us = elements * ROUGH_US["elements"] + macs * ROUGH_US["macs"]
        entries[work.key] = LatencyEntry(round(rough_us, 3), 0.0, 1)
    return LatencyTable(
        entries=entries,
        device="none",
        runtime=measured.runtime,
        runtime_version="",
        precision=measured.precision,
        threads=1,
        input_size=measured.input_size,
        skeleton=skeleton,
        space_id=measured.space_id,
        date="",
        noise=0.0,
    )
