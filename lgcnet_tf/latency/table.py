"""The latency table: what every piece of work of a search space costs."""

import dataclasses
import hashlib
import json
import os
from collections.abc import Mapping
from typing import Any

from lgcnet_tf.data.info import DatasetInfo
from lgcnet_tf.errors import InputError
from lgcnet_tf.files import read_json, write_json
from lgcnet_tf.latency.schema import (
    CALIBRATION_FIELDS,
    ENTRY_FIELDS,
    OPTIONAL_FIELDS,
    TABLE_FIELDS,
    TIME,
    check_fields,
)
from lgcnet_tf.space.skeleton import CANDIDATES, Size, Skeleton
from lgcnet_tf.space.workloads import Workload, workloads

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
class Calibration:
    """Times corrected by whole networks (`calibrate.fit`).

    Attributes:
        times_us: what a workload adds to a network, by `Workload.key`.
        constant_us: what every network takes besides.
        scale: by how much networks are slower than the sum of their parts, all
            in all; the prior of the times is that multiple of the medians.
        sigma: relative error left to each network.
        tau: how far a time may stray from its prior, relatively.
        networks: levelled median times in µs of the networks it was fitted to, by their
            names (`draw.name_of`).
        error_before: median of |predicted / measured - 1| by the bare medians.
        error_after: the same of the corrected times, each network's by a fit
            to the others.
    """

    times_us: Mapping[str, float]
    constant_us: float
    scale: float
    sigma: float
    tau: float
    networks: Mapping[str, float]
    error_before: float
    error_after: float


@dataclasses.dataclass(frozen=True)
class LatencyTable:
    """Times of a search space's workloads, and how they were obtained.

    A table is written when it is measured and only read afterwards. Reading it
    with `table[workload]` gives µs for a batch, corrected if the table was
    calibrated; `none` and `skip_connect` at stride 1 cost 0 and have no entry,
    for a deployed network computes nothing there (`Operation.free`).

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
        reference_us: median time of one operation that was timed over and over
            while the table was measured; None in older tables.
        drift: p90 of those times by their median; None in older tables.
        calibration: correction by whole networks, if there is one.
        batch_size: images of each call that was timed.
        classes: names and colours of the classes that it was measured for; None in
            older tables.

    Example:
        With `table` of `measure_latency`:

        >>> import lgcnet_tf as lt
        >>> table.save("table.json")
        >>> lt.LatencyTable.load("table.json") == table
        True
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
    reference_us: float | None = None
    drift: float | None = None
    calibration: Calibration | None = None
    batch_size: int = 1
    classes: DatasetInfo | None = dataclasses.field(default=None, compare=False)

    def __getitem__(self, workload: Workload) -> float:
        """What `workload` adds to a network's latency, in µs.

        Raises:
            InputError: the table does not hold the workload.
        """
        if workload.free:
            return 0.0
        if self.calibration and workload.key in self.calibration.times_us:
            return self.calibration.times_us[workload.key]
        entry = self.entries.get(workload.key)
        if entry is None:
            raise InputError(
                f"latency table: has no entry for {workload.key!r}; make one with "
                "lgcnet-measure-latency."
            )
        return entry.median_us

    @property
    def table_id(self) -> str:
        """Short hash of the whole content; a genotype's provenance names it."""
        text = json.dumps(self.to_dict(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def check(
        self, skeleton: Skeleton, input_size: Size, batch_size: int | None = None
    ) -> None:
        """Makes sure that the table has the times of this search space.

        What it has besides, as of operations that are no candidates here, does no
        harm.

        Args:
            skeleton, input_size: the search space.
            batch_size: images of a call; None for whatever was measured.

        Raises:
            InputError: names the input size, the batch, the fields of the
                skeleton or the workloads in which they differ.
        """
        if batch_size not in (None, self.batch_size):
            raise InputError(
                f"latency table: measured at batch {self.batch_size}, but "
                f"{batch_size} is wanted. Measure a table at that batch."
            )
        if tuple(input_size) != self.input_size:
            raise InputError(
                f"latency table: measured for input {_size(self.input_size)}, "
                f"but {_size(input_size)} is wanted. Measure a table at that size."
            )
        needed = timed(skeleton, input_size)
        missing = [w for w in needed if w.key not in self.entries]
        mine, other = (dataclasses.asdict(s) for s in (self.skeleton, skeleton))
        reasons = [
            f"{key} is {mine[key]} in the table, {other[key]} is wanted"
            for key in mine
            if mine[key] != other[key] and key not in (*CANDIDATES, "extensions")
        ]
        if not reasons and not missing:
            return
        if not reasons:
            there = {name for field in CANDIDATES for name in mine[field]}
            wanted = {name for field in CANDIDATES for name in other[field]} - there
            new = [w.operation for w in missing if w.operation in wanted]
            if new:
                names = ", ".join(dict.fromkeys(new))
                reasons.append(f"without {names}: measure one that has them")
            else:
                reasons.append("it was made by an earlier release: measure it again")
        if missing:
            some = ", ".join(repr(work.key) for work in missing[:3])
            more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
            reasons.append(f"it lacks {some}{more}")
        raise InputError(
            "latency table: measured for another search space"
            + "".join(f"; {reason}" for reason in reasons)
            + ". Make one for this space with lgcnet-measure-latency."
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
        fields = {name: v for name, v in fields.items() if v is not None}
        if self.batch_size == 1:  # as in tables that know no other
            del fields["batch_size"]
        entries = fields.pop("entries")
        if self.calibration:
            fields["calibration"] = dataclasses.asdict(self.calibration)
        if self.classes:
            fields["classes"] = self.classes.to_dict()
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
            raise InputError(
                "latency table: no format_version; not a latency table: give what "
                "lgcnet-measure-latency wrote."
            )
        config = dict(config)
        version = config.pop("format_version")
        if version != FORMAT_VERSION:
            raise InputError(
                f"latency table: format version {version!r}; this release reads "
                f"version {FORMAT_VERSION}; make it anew with lgcnet-measure-latency."
            )
        optional = {n: f for n, f in OPTIONAL_FIELDS.items() if n in config}
        check_fields("latency table", config, TABLE_FIELDS | optional)
        skeleton = Skeleton.from_dict(config.pop("skeleton"))
        entries = {}
        for key, entry in config.pop("entries").items():
            if not isinstance(entry, dict):
                raise InputError(f"latency table: entry {key!r} must be an object.")
            check_fields(f"latency table: entry {key!r}", entry, ENTRY_FIELDS)
            entries[key] = LatencyEntry(**entry)
        config["input_size"] = tuple(config["input_size"])
        if (calibration := config.pop("calibration", None)) is not None:
            where = "latency table: calibration"
            check_fields(where, calibration, CALIBRATION_FIELDS)
            for name in ("times_us", "networks"):
                times = calibration[name]
                check_fields(f"{where}: {name}", times, dict.fromkeys(times, TIME))
            config["calibration"] = Calibration(**calibration)
        if (classes := config.pop("classes", None)) is not None:
            try:
                config["classes"] = DatasetInfo.from_dict(classes)
            except InputError as error:
                raise InputError(f"latency table: {error}") from None
        return cls(entries=entries, skeleton=skeleton, **config)


def timed(skeleton: Skeleton, input_size: Size) -> tuple[Workload, ...]:
    """The distinct workloads of a space that a table has an entry for."""
    distinct = workloads(skeleton, input_size).distinct()
    return tuple(w for w in distinct if not w.free)


def _size(size):
    return "x".join(map(str, size))
