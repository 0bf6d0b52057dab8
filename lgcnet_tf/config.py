"""Options of a command, declared once: name, default, meaning.

A command's options are the fields of a frozen dataclass. Library users pass
the dataclass, the binaries make a flag of each field, and both share the
default written there.
"""

import dataclasses
import numbers
import types
import typing
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

from lgcnet_tf.errors import InputError
from lgcnet_tf.extensions import hint, load_extensions, load_installed

Size = tuple[int, int]


def option(
    default: Any,
    help: str,
    choices: tuple[str, ...] | Callable[[], tuple[str, ...]] = (),
    minimum: float | None = None,
    maximum: float | None = None,
    above: float | None = None,
    alias: str = "",
    needed: str = "",
    topic: str = "",
) -> Any:
    """A field of an options dataclass.

    Args:
        default: the one place where the default stands.
        help: what it means.
        choices: the values allowed, if they can be listed; a function that lists
            them where extensions may add some.
        minimum, maximum: the smallest and the largest number allowed.
        above: numbers must be larger than this.
        alias: another name of the flag.
        needed: for an option that a command line must give, what to give.
        topic: under which the help lists it; by default its class's `TOPIC`.
    """
    metadata = {
        "help": help,
        "choices": choices,
        "minimum": minimum,
        "maximum": maximum,
        "above": above,
        "alias": alias,
        "needed": needed,
        "topic": topic,
    }
    return dataclasses.field(default=default, metadata=metadata)


def choices_of(field: dataclasses.Field) -> tuple[str, ...]:
    """The values that an option takes, as far as they are known now; () for any."""
    choices = field.metadata["choices"]
    return choices if isinstance(choices, tuple) else choices()


def parse_size(text: str) -> Size:
    """Reads `HxW`, e.g. `360x480`.

    Raises:
        InputError: it is not of that form or not positive.
    """
    parts = text.lower().split("x")
    if len(parts) != 2 or not all(p.isdecimal() and int(p) > 0 for p in parts):
        raise InputError(f"A size is HEIGHTxWIDTH, such as 360x480. Received: {text!r}")
    return int(parts[0]), int(parts[1])


def format_size(size: Size) -> str:
    """`parse_size`'s inverse."""
    return f"{size[0]}x{size[1]}"


_WORDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    Size: "a size, height and width",
}


def kinds_of(kind: Any) -> tuple[Any, ...]:
    """The types that a field's type is made of: `int` and `None` of `int | None`."""
    union = isinstance(kind, types.UnionType)
    return typing.get_args(kind) if union else (kind,)


def in_words(kind: Any) -> str:
    """What a field of that type takes, as `a whole number`."""
    first = kinds_of(kind)[0]
    if first in _WORDS:
        return _WORDS[first]
    parts = {int: "whole numbers", float: "numbers", str: "texts"}
    return f"a list of {parts[typing.get_args(first)[0]]}"


def _is_of(value: Any, kind: Any) -> bool:
    if typing.get_origin(kind) is tuple:
        parts = typing.get_args(kind)
        same_length = parts[-1] is ... or (
            isinstance(value, tuple) and len(value) == len(parts)
        )
        return (
            isinstance(value, tuple)
            and same_length
            and all(_is_of(part, parts[0]) for part in value)
        )
    if kind in (int, float):
        wanted = numbers.Integral if kind is int else numbers.Real
        return isinstance(value, wanted) and not isinstance(value, bool)
    return isinstance(value, kind)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """Options of any command."""

    TOPIC: ClassVar[str] = "Options"
    """Under which the help lists the options that a class declares."""

    POSITIONAL: ClassVar[str] = ""
    """The option, a tuple, that arguments without a flag are added to."""

    def check(self) -> None:
        """Refuses values that no run can have.

        Raises:
            InputError: names each such option and what it takes, a line for each.
        """
        if problems := list(self._wrong_types()) or list(self.problems()):
            raise InputError("\n".join(problems))

    def _wrong_types(self) -> Iterator[str]:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if not any(_is_of(value, kind) for kind in kinds_of(field.type)):
                such = "" if field.default in (None, "", ()) else f", such as {field.default!r}"  # fmt: skip
                yield (
                    f"--{field.name} takes {in_words(field.type)}{such}. "
                    f"Received: {value!r}"
                )

    def problems(self) -> Iterator[str]:
        """What is wrong with the values, a line for each; nothing is read for it."""
        for field in dataclasses.fields(self):
            value, limits = getattr(self, field.name), field.metadata
            rule = ""
            if value is None:
                continue
            if callable(limits["choices"]) and value not in choices_of(field):
                load_installed()  # may bring it
            if (choices := choices_of(field)) and value not in choices:
                rule = f"one of {', '.join(choices)}"
                if callable(limits["choices"]):
                    rule += hint()
            elif limits["minimum"] is not None and not value >= limits["minimum"]:
                rule = f"at least {limits['minimum']}"
            elif limits["maximum"] is not None and not value <= limits["maximum"]:
                rule = f"at most {limits['maximum']}"
            elif limits["above"] is not None and not value > limits["above"]:
                rule = f"above {limits['above']}"
            if rule:
                yield f"--{field.name} must be {rule}. Received: {value!r}"

    def missing(self) -> Iterator[str]:
        """The options that a command line must give and does not, a line for each."""
        for field in dataclasses.fields(self):
            needed = field.metadata["needed"]
            if needed and not getattr(self, field.name):
                yield f"--{field.name} is missing: {needed}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunOptions(Options):
    """Options of a command that leaves a run folder."""

    TOPIC = "Results"

    output_dir: str = option(
        "",
        "Folder of the results; made if absent.",
        needed="name a folder for the results.",
    )
    extension: tuple[str, ...] = option(
        (),
        "Modules, or .py files, that are imported first: what they register can then "
        "be named (docs/extending.md).",
        topic="Extensions",
    )

    def check(self) -> None:
        """As of all options, after the extensions have been imported.

        Raises:
            InputError: as there, or an extension cannot be imported.
        """
        load_extensions(self.extension)
        super().check()


@dataclasses.dataclass(frozen=True, kw_only=True)
class SourceOptions(RunOptions):
    """Which data."""

    TOPIC = "Data"

    dataset: str = option(
        "",
        "Data set: folder for your own, that of --data_dir; toy_streets, camvid, "
        "cityscapes; or one that an installed package brings. By default that of the "
        "latency table or model given, and folder for a --data_dir with a class file.",
    )
    data_dir: str = option("", "Folder of the data set's files, if it needs any.")


@dataclasses.dataclass(frozen=True, kw_only=True)
class TaskOptions(SourceOptions):
    """Which classes the network tells apart, and how large it sees images."""

    TOPIC = "Data"

    input_size: Size | None = option(
        None,
        "Size of the network's input, HxW; by default that of the latency table or "
        "genotype given.",
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class DivisionOptions(SourceOptions):
    """Which images belong together, and which of them are for validation."""

    TOPIC = "Data"

    group_by: str = option(
        "",
        "Regular expression whose first group, searched for in a sample's name, is "
        "the sample's group; by default the data set's own: what stands before the "
        "first _, which is the drive of a frame of CamVid and the city of one of "
        "Cityscapes. A folder has none.",
    )
    val_share: float = option(
        0.0,
        "Share of the training images that are the split val, for data without one; "
        "groups (see --group_by) stay on one side.",
        minimum=0,
    )
    split_seed: int = option(0, "Seed of that division.", minimum=0)

    @property
    def division(self) -> dict[str, Any]:
        """These options as arguments of `lgcnet_tf.data.load_samples`."""
        return {
            "val_share": self.val_share,
            "split_seed": self.split_seed,
            "group_by": self.group_by,
        }


@dataclasses.dataclass(frozen=True, kw_only=True)
class DataOptions(TaskOptions, DivisionOptions):
    """Where the images come from."""

    TOPIC = "Data"

    split: str = option(
        "train", "Split of the data set to use, or several with commas between."
    )
