"""Measuring on a device without TensorFlow: what goes there and what comes back.

A folder with the models of all that is to be timed, converted here, goes to the device
together with `device.time_models` and the files that it shares with this package. What
comes back is one file of times (`device_samples`).
"""

import math
import os
import pathlib
import shutil
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from lgcnet_tf.files import atomic_write, read_json, write_json
from lgcnet_tf.latency.device_samples import Measured
from lgcnet_tf.latency.measure import (
    MAX_NETWORKS_IN_MEMORY,
    build_network,
    build_workload,
    reference_workload,
)
from lgcnet_tf.latency.table import LatencyEntry, LatencyTable
from lgcnet_tf.runtimes import get_runtime
from lgcnet_tf.runtimes.base import EMPTY_SHAPE, Runtime
from lgcnet_tf.runtimes.device import machine, sessions, time_models, timing
from lgcnet_tf.space.genotype import Genotype
from lgcnet_tf.space.skeleton import Skeleton
from lgcnet_tf.space.workloads import Workload

MODELS = "models"
PLAN = time_models.PLAN

ROUGH_US = {"elements": 1e-3, "macs": 1e-4}
"""Of each value that is read or written, and of each multiply-accumulate."""

Progress = Callable[[str, int, int], None]


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
        "together": MAX_NETWORKS_IN_MEMORY,
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


def folder_size(folder: str | os.PathLike) -> tuple[int, int]:
    """How many files a folder has, and how many bytes."""
    sizes = [p.stat().st_size for p in pathlib.Path(folder).rglob("*") if p.is_file()]
    return len(sizes), sum(sizes)


def rough_table(measured: Measured, skeleton: Skeleton, operations) -> LatencyTable:
    """Times of no device, good enough to choose networks by that differ.

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
