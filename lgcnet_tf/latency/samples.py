"""Samples taken so far, on disk: what was timed once is not timed again."""

import os
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from lgcnet_tf.errors import InputError
from lgcnet_tf.files import read_json, write_json

SAMPLES = "samples.json"
SAVE_EVERY_S = 5.0

GROUPS = ("operations", "networks")


class SampleStore:
    """Times in µs by what was timed, kept in a file.

    Args:
        path: the file, read if it is there; None keeps everything in memory.

    Attributes:
        operations, networks: lists of samples by `Workload.key` and by a
            network's name.
        reference: times of one operation, taken over and over in between.

    Raises:
        InputError: the file is damaged.
    """

    def __init__(self, path: str | os.PathLike | None = None):
        self.path = path
        self.operations: dict[str, list[float]] = {}
        self.networks: dict[str, list[float]] = {}
        self.reference: list[float] = []
        self._saved = time.monotonic()
        if path is not None and os.path.exists(path):
            self._read(read_json(path))

    def add(self, group: str, round_us: Mapping[str, float]) -> None:
        """Keeps a whole round, one time of each; saves now and then."""
        kept = getattr(self, group)
        for key, time_us in round_us.items():
            kept.setdefault(key, []).append(round(float(time_us), 3))
        if time.monotonic() - self._saved > SAVE_EVERY_S:
            self.save()

    def save(self) -> None:
        """Writes the file, whole or not at all."""
        if self.path is not None:
            fields = {group: getattr(self, group) for group in GROUPS}
            write_json(self.path, {**fields, "reference": self.reference})
        self._saved = time.monotonic()

    @property
    def reference_us(self) -> float | None:
        """Median time of the reference operation."""
        return round(float(np.median(self.reference)), 3) if self.reference else None

    @property
    def drift(self) -> float | None:
        """How far the machine's speed wandered: the reference's p90 by its median."""
        if not self.reference:
            return None
        median, p90 = np.percentile(self.reference, (50, 90))
        return round(float(p90 / median), 4)

    def _read(self, found: Any) -> None:
        try:
            for group in GROUPS:
                kept = {key: [*map(_time, v)] for key, v in found[group].items()}
                setattr(self, group, kept)
            self.reference = [*map(_time, found["reference"])]
        except (TypeError, KeyError, ValueError, AttributeError):
            raise InputError(
                f"{self.path}: no file of samples; remove it to measure anew."
            ) from None


def _time(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{value!r} is no time.")
    return float(value)
