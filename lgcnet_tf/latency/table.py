"""The latency table: what every piece of work of a search space costs."""

import dataclasses
import hashlib
import json
import math
import os
from collections.abc import Mapping
from typing import Any

from lgcnet_tf.errors import InputError
from lgcnet_tf.files import read_json, write_json
from lgcnet_tf.space.skeleton import Size, Skeleton
from lgcnet_tf.space.workloads import Workload, space_id, workloads

FORMAT_VERSION = 1


@dataclasses.dataclass(frozen=True)
class LatencyEntry:
    """A measured time.

    Attributes:
        median_us: median over the samples, in µs.
        spread_us: interquartile range of the samples, in µs.
        count: number of samples.
    """

    median_us: float
    spread_us: float
    count: int

    @property
    def median_ms(self) -> float:
        return self.median_us / 1000.0


@dataclasses.dataclass(frozen=True)
class LatencyTable:
    """Times of a search space's workloads, and how they were obtained.

    A table is written when it is measured and only read afterwards. Reading it
    with `table[workload]` gives µs at batch 1; `none` and `skip_connect` at
    stride 1 cost 0 and have no entry, for a deployed network computes nothing
    there (`is_free`).

    Attributes:
        entries: the times by `Workload.key`.
        device: what it was measured on.
        runtime: name of the runtime.
        runtime_version: its version.
        precision: number format of the computation, e.g. `float32`.
        threads: threads the runtime may use on the CPU.
        input_size: (height, width) of the images.
        skeleton: the frame of the search space.
        space_id: `workloads.space_id` of the search space.
        date: when it was measured, ISO 8601.
        noise: the machine's noise, the median over the entries of spread
            divided by median.
    """

    entries: Mapping[str, LatencyEntry]
    device: str
    runtime: str
    runtime_version: str
    precision: str
    threads: int
    input_size: Size
    skeleton: Skeleton
    space_id: str
    date: str
    noise: float

    def __getitem__(self, workload: Workload) -> float:
        """Median time of `workload` in µs.

        Raises:
            InputError: the table does not hold the workload.
        """
        if is_free(workload):
            return 0.0
        entry = self.entries.get(workload.key)
        if entry is None:
            raise InputError(f"latency table: has no entry for {workload.key!r}.")
        return entry.median_us

    @property
    def table_id(self) -> str:
        """Short hash of the whole content; a genotype's provenance names it."""
        text = json.dumps(self.to_dict(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def check(self, skeleton: Skeleton, input_size: Size) -> None:
        """Makes sure that the table is one of this search space.

        Raises:
            InputError: names the input size, the fields of the skeleton or the
                workloads in which they differ.
        """
        if tuple(input_size) != self.input_size:
            raise InputError(
                f"latency table: measured for input {_size(self.input_size)}, "
                f"but {_size(input_size)} is wanted. Measure a table at that size."
            )
        needed = timed(skeleton, input_size)
        missing = [w.key for w in needed if w.key not in self.entries]
        if not missing and self.space_id == space_id(skeleton, input_size):
            return
        mine, other = self.skeleton.to_dict(), skeleton.to_dict()
        reasons = [
            f"{key} is {mine[key]} in the table, {other[key]} is wanted"
            for key in mine
            if mine[key] != other[key]
        ]
        if missing:
            some = ", ".join(repr(key) for key in missing[:3])
            more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
            reasons.append(f"it lacks {some}{more}")
        raise InputError(
            "latency table: measured for another search space"
            + "".join(f"; {reason}" for reason in reasons)
            + "."
        )

    def save(self, path: str | os.PathLike) -> None:
        """Writes the table as JSON, whole or not at all."""
        write_json(path, self.to_dict())

    @classmethod
    def load(cls, path: str | os.PathLike) -> "LatencyTable":
        """Reads a table.

        Raises:
            InputError: names the file and what is wrong in it.
        """
        config = read_json(path)
        try:
            return cls.from_dict(config)
        except InputError as error:
            raise InputError(f"{path}: {error}") from None

    def to_dict(self) -> dict[str, Any]:
        """JSON form; `from_dict` is its inverse."""
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        entries = fields.pop("entries")
        fields["input_size"] = list(self.input_size)
        fields["skeleton"] = self.skeleton.to_dict()
        return {
            "format_version": FORMAT_VERSION,
            **fields,
            "entries": {key: dataclasses.asdict(e) for key, e in entries.items()},
        }

    @classmethod
    def from_dict(cls, config: Any) -> "LatencyTable":
        """Reads `to_dict`'s form.

        Raises:
            InputError: a field is missing, unknown or of a wrong kind.
        """
        if not isinstance(config, dict) or "format_version" not in config:
            raise InputError("latency table: no format_version; not a latency table.")
        config = dict(config)
        version = config.pop("format_version")
        if version != FORMAT_VERSION:
            raise InputError(
                f"latency table: format version {version!r}; this release reads "
                f"version {FORMAT_VERSION}."
            )
        _check_fields("latency table", config, _TABLE_FIELDS)
        skeleton = Skeleton.from_dict(config.pop("skeleton"))
        entries = {}
        for key, entry in config.pop("entries").items():
            if not isinstance(entry, dict):
                raise InputError(f"latency table: entry {key!r} must be an object.")
            _check_fields(f"latency table: entry {key!r}", entry, _ENTRY_FIELDS)
            entries[key] = LatencyEntry(**entry)
        config["input_size"] = tuple(config["input_size"])
        return cls(entries=entries, skeleton=skeleton, **config)


def is_free(workload: Workload) -> bool:
    """Whether a deployed network computes nothing for `workload`."""
    return workload.operation == "none" or (
        workload.operation == "skip_connect" and workload.stride == 1
    )


def timed(skeleton: Skeleton, input_size: Size) -> tuple[Workload, ...]:
    """The distinct workloads of a space that a table has an entry for."""
    distinct = workloads(skeleton, input_size).distinct()
    return tuple(w for w in distinct if not is_free(w))


def _is_time(value):
    number = type(value) in (int, float)
    return number and math.isfinite(value) and value >= 0


def _is_count(value):
    return type(value) is int and value >= 1


def _is_text(value):
    return isinstance(value, str)


def _is_object(value):
    return isinstance(value, dict)


def _is_size(value):
    return isinstance(value, list) and len(value) == 2 and all(map(_is_count, value))


_TEXT = (_is_text, "a string")
_TIME = (_is_time, "a finite number of at least 0")
_COUNT = (_is_count, "a whole number of at least 1")
_OBJECT = (_is_object, "an object")

_TABLE_FIELDS = {
    "entries": _OBJECT,
    "device": _TEXT,
    "runtime": _TEXT,
    "runtime_version": _TEXT,
    "precision": _TEXT,
    "threads": _COUNT,
    "input_size": (_is_size, "[height, width] in pixels"),
    "skeleton": _OBJECT,
    "space_id": _TEXT,
    "date": _TEXT,
    "noise": _TIME,
}
"""The schema of the file: a test and its words for each field."""

_ENTRY_FIELDS = {"median_us": _TIME, "spread_us": _TIME, "count": _COUNT}


def _check_fields(where, found, fields):
    for name in fields:
        if name not in found:
            raise InputError(f"{where}: lacks the field {name!r}.")
    for name, value in found.items():
        if name not in fields:
            raise InputError(f"{where}: unknown field {name!r}.")
        valid, words = fields[name]
        if not valid(value):
            raise InputError(f"{where}: {name} must be {words}. Received: {value!r}")


def _size(size):
    return "x".join(map(str, size))
