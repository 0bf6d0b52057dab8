"""The times that a device without TensorFlow took: read, and refused where they do not fit."""

import dataclasses
import math
import os
import statistics
from collections.abc import Collection
from typing import Any

from lgcnet_tf.errors import InputError
from lgcnet_tf.files import read_json
from lgcnet_tf.latency.samples import SampleStore
from lgcnet_tf.space.skeleton import Size, Skeleton
from lgcnet_tf.space.workloads import space_id

LONGEST_US = 1e9
"""A longer time, of a quarter of an hour, was not measured."""


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
                f"({_shown(facts.get(name))}) than is wanted here ({_shown(wanted)}); "
                "give the flags with which its folder was made."
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
                f"{path}: has times of {min(unknown)!r}, which is not wanted here; "
                "give the flags with which its folder was made."
            )
        for key in operations if group == "operations" else kept:
            if (count := len(kept.get(key, ()))) < least:
                raise _incomplete(path, f"{count} of {least} times of {key!r}")
            if not all(map(math.isfinite, kept[key])):
                raise InputError(
                    f"{path}: has times of {key!r} that are no numbers; "
                    "take them again."
                )
    if len(store.networks) != network_count:
        there = f"{len(store.networks)} of {network_count} networks"
        raise _incomplete(path, there)
    for key, times in (*store.networks.items(), ("the reference", store.reference)):
        if not times or not 0 < min(times) <= max(times) < LONGEST_US:
            raise InputError(
                f"{path}: has times of {key!r} that are not above 0 and below "
                f"{LONGEST_US:.0e} µs; take them again."
            )
    medians = [statistics.median(times) for times in store.operations.values()]
    nothing = sum(median <= 0 for median in medians)
    if max(medians, default=0) > LONGEST_US or nothing > len(medians) / 4:
        raise InputError(
            f"{path}: has operations that take no time or for ever; time them again."
        )
    try:
        runtime = DeviceRuntime(
            name=measured.runtime,
            version=str(facts["runtime_version"]),
            device=str(facts["device"]),
            precision=measured.precision,
            threads=_threads(facts["threads"]),
            date=str(facts["date"]),
        )
    except (KeyError, TypeError, ValueError):
        raise InputError(
            f"{path}: does not say what it was taken on; take the samples again."
        ) from None
    return runtime, store


def _threads(value):
    if type(value) is not int or value < 1:
        raise ValueError(f"{value!r} threads")
    return value


def _incomplete(path, there):
    return InputError(
        f"{path}: not complete, it has {there}; run time_models.py to its end, with the "
        "folder that was made for these options."
    )


def _facts(path):
    found = read_json(path)
    facts = found.get("facts") if isinstance(found, dict) else None
    if not isinstance(facts, dict):
        raise InputError(
            f"{path}: not written by time_models.py: lacks its facts; give the "
            "samples.json that it wrote."
        )
    return facts


def _shown(value):
    return "x".join(map(str, value)) if isinstance(value, list) else value
