"""What a sweep varies: axes of flags, their Cartesian product, names of trials."""

import dataclasses
import itertools
import re
import typing
from collections.abc import Mapping

from lgcnet_tf.config import Options, Size, choices_of, kinds_of, parse_size
from lgcnet_tf.errors import InputError

FINETUNE = "finetune."
StageOptions = Mapping[str, type[Options]]
"""The options of the commands that a trial runs, by the name of the stage."""
OWN = ("seed", "output_dir", "model", "initial_model")
"""Flags that the sweep itself sets."""


def parse_vary(text: str, stages: StageOptions) -> dict[str, tuple[str, ...]]:
    """Reads `communication=none,ggm;latency_weight=0.001,0.005`.

    Axes stand apart by `;`, their values by `,`. Values that contain commas,
    as of `fusion_taps`, stand apart by `|`. An axis is a flag of
    `lgcnet-search`, or `finetune.` and one of `lgcnet-finetune`.

    Args:
        stages: the options of `search` and of `finetune`.

    Returns:
        Values, as texts, by axis, in the order given; empty for an empty text.

    Raises:
        InputError: an axis that is no flag, or a value that it does not take.
    """
    axes: dict[str, tuple[str, ...]] = {}
    for part in filter(None, (part.strip() for part in text.split(";"))):
        axis, equals, values = part.partition("=")
        axis = axis.strip()
        field = _field(axis, stages)
        if axis in axes:
            raise InputError(f"--vary: {axis} stands there twice.")
        separator = "|" if _listed(kinds_of(field.type)[0]) else ","
        found = tuple(value.strip() for value in values.split(separator))
        if not equals or not all(found):
            raise InputError(
                f"--vary: {axis} needs values, as in {axis}=a{separator}b. "
                f"Received: {part!r}"
            )
        if len(set(found)) < len(found):
            raise InputError(f"--vary: {axis} has a value twice. Received: {part!r}")
        for value in found:
            _check(axis, field, value)
        axes[axis] = found
    return axes


def settings(axes: dict[str, tuple[str, ...]]) -> list[dict[str, str]]:
    """Every combination of the axes' values; one empty one without axes."""
    return [dict(zip(axes, values)) for values in itertools.product(*axes.values())]


def setting_name(setting: dict[str, str]) -> str:
    """For people: `communication=ggm latency_weight=0.005`."""
    return " ".join(f"{axis}={value}" for axis, value in setting.items()) or "all"


def trial_name(setting: dict[str, str], seed: int) -> str:
    """Name of a trial's folder, of characters that need no quoting."""
    parts = [f"{axis}-{value}" for axis, value in setting.items()]
    return re.sub(r"[^\w.+-]", "-", "_".join([*parts, f"seed-{seed}"]))


def _field(axis: str, stages: StageOptions) -> dataclasses.Field:
    name = axis.removeprefix(FINETUNE)
    command = "finetune" if axis != name else "search"
    fields = {field.name: field for field in dataclasses.fields(stages[command])}
    if name in OWN:
        raise InputError(f"--vary: the sweep sets {name} itself (seeds: --seeds).")
    if name not in fields:
        hint = ""
        if name in {field.name for field in dataclasses.fields(stages["finetune"])}:
            hint = f" For lgcnet-finetune's write {FINETUNE}{name}."
        raise InputError(f"--vary: lgcnet-{command} has no flag --{name}.{hint}")
    return fields[name]


def _listed(kind) -> bool:
    return typing.get_origin(kind) is tuple and kind != Size


def _check(axis: str, field: dataclasses.Field, text: str) -> None:
    """Refuses before the first trial what a trial's flags would refuse."""
    kind, limits = kinds_of(field.type)[0], field.metadata
    try:
        if kind is bool:
            if text.lower() not in ("true", "false", "1", "0"):
                raise ValueError
        elif kind in (int, float):
            value = kind(text)
            if limits["minimum"] is not None and not value >= limits["minimum"]:
                raise ValueError
            if limits["above"] is not None and not value > limits["above"]:
                raise ValueError
        elif kind == Size:
            parse_size(text)
        elif _listed(kind):
            [typing.get_args(kind)[0](part) for part in text.split(",") if part]
        elif (choices := choices_of(field)) and text not in choices:
            raise ValueError
    except ValueError:  # InputError is one
        raise InputError(
            f"--vary: {axis} takes {_takes(field)}. Received: {text!r}"
        ) from None


def _takes(field: dataclasses.Field) -> str:
    kind, limits = kinds_of(field.type)[0], field.metadata
    if choices := choices_of(field):
        return f"one of {', '.join(choices)}"
    if kind == Size:
        return "HEIGHTxWIDTH"
    if _listed(kind):
        return f"{typing.get_args(kind)[0].__name__}s with commas between"
    if limits["minimum"] is not None:
        return f"{kind.__name__} of at least {limits['minimum']}"
    if limits["above"] is not None:
        return f"{kind.__name__} above {limits['above']}"
    return kind.__name__
