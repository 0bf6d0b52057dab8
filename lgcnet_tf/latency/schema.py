"""What the file of a latency table holds, field by field."""

import math
from collections.abc import Callable, Mapping
from typing import Any

from lgcnet_tf.errors import InputError


def check_fields(
    where: str,
    found: Mapping[str, Any],
    fields: Mapping[str, tuple[Callable[[Any], bool], str]],
) -> None:
    """Tests that an object has exactly these fields, with valid values.

    Args:
        where: names the object in the error.
        fields: for each name a test and its words.

    Raises:
        InputError: names the field that is missing, unknown or of a wrong kind.
    """
    for name in fields:
        if name not in found:
            raise InputError(f"{where}: lacks the field {name!r}; make it anew.")
    for name, value in found.items():
        if name not in fields:
            raise InputError(f"{where}: unknown field {name!r}; leave it out.")
        valid, words = fields[name]
        if not valid(value):
            raise InputError(f"{where}: {name} must be {words}. Received: {value!r}")


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
TIME = (_is_time, "a finite number of at least 0")
_COUNT = (_is_count, "a whole number of at least 1")
_OBJECT = (_is_object, "an object")

TABLE_FIELDS = {
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
    "noise": TIME,
}
"""A test and its words for each field of the file."""

OPTIONAL_FIELDS = {
    "reference_us": TIME,
    "drift": TIME,
    "calibration": _OBJECT,
    "batch_size": _COUNT,
    "classes": _OBJECT,
}
"""What tables measured before lack."""

CALIBRATION_FIELDS = dict.fromkeys(
    ("constant_us", "scale", "sigma", "tau", "error_before", "error_after"), TIME
) | {"times_us": _OBJECT, "networks": _OBJECT}

ENTRY_FIELDS = {"median_us": TIME, "spread_us": TIME, "count": _COUNT}
