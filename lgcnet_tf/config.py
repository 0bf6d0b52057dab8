"""Options of a command, declared once: name, default, meaning.

A command's options are the fields of a frozen dataclass. Library users pass
the dataclass, the binaries make a flag of each field, and both share the
default written there.
"""

import dataclasses
from typing import Any

from lgcnet_tf.errors import InputError

Size = tuple[int, int]


def option(default: Any, help: str, choices: tuple[str, ...] = ()) -> Any:
    """A field of an options dataclass with its default, meaning and choices."""
    return dataclasses.field(default=default, metadata={"help": help, "choices": choices})


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


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunOptions:
    """What every command has."""

    output_dir: str = option("", "Folder of the results; made if absent.")

    def check(self) -> None:
        """Refuses values outside their choices.

        Raises:
            InputError: names the option and its choices.
        """
        for field in dataclasses.fields(self):
            choices = field.metadata.get("choices")
            value = getattr(self, field.name)
            if choices and value not in choices:
                raise InputError(
                    f"--{field.name} must be one of {', '.join(choices)}. "
                    f"Received: {value!r}"
                )


@dataclasses.dataclass(frozen=True, kw_only=True)
class DataOptions(RunOptions):
    """Where the images come from and how large the network sees them."""

    dataset: str = option("toy_streets", "Data set: toy_streets, camvid, cityscapes.")
    data_dir: str = option("", "Folder of the data set's files, if it needs any.")
    split: str = option("train", "Split of the data set to use.")
    input_size: Size = option((96, 160), "Size of the network's input, HxW.")
