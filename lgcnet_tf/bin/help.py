"""What `--help` prints of a command: a sentence, its flags by topic, an example."""

import dataclasses
import importlib.metadata
import shutil
import textwrap
import typing
from typing import Any

from lgcnet_tf.bin.table import COMMANDS, Command
from lgcnet_tf.config import Options, Size, choices_of, format_size, kinds_of

_INDENT = 28
DRY_RUN = (
    "dry_run",
    False,
    "Says what would be done, on how much data, in how much memory and time on this "
    "machine, and exits; nothing is written to the output folder.",
)
"""The flag of long commands: name, default, meaning."""
_ALWAYS = (
    ("--flagfile=FILE", "Reads flags from a file, one a line; may be given often."),
    ("--help", "Prints this and exits."),
    ("--version", "Prints the version and exits."),
)


def version() -> str:
    """The installed package's version; `unknown` in a tree that is not installed."""
    try:
        return importlib.metadata.version("lgcnet_tf")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def overview(program: str) -> str:
    """What `lgcnet --help` prints: the commands with a sentence on each."""
    lines = [
        f"{program}: search, train and serve real-time segmentation networks.",
        "",
        f"Usage: {program} COMMAND --flag=value ...",
        f"       {program} help COMMAND",
        "",
        "Commands:",
    ]
    for each in COMMANDS:
        lines += _entry(each.name.replace("_", "-"), each.summary)
    return "\n".join(lines)


def help_text(program: str, command: Command, options: type[Options]) -> str:
    """What `--help` prints of a command.

    Args:
        program: how it was called.
        options: the command's.
    """
    lines = [
        *_wrapped(f"{program}: {command.summary}"),
        "",
        f"Usage: {program} --flag=value ..."
        + (f" {options.POSITIONAL.upper()} ..." if options.POSITIONAL else ""),
    ]
    for topic, fields in by_topic(options).items():
        lines += ["", f"{topic}:"]
        for field in fields:
            lines += _entry(flag_text(field), flag_meaning(field))
    lines += ["", "Always:"]
    for flag, meaning in always(command):
        lines += _entry(flag, meaning)
    lines += ["", "Example:", *_example(program, command.example)]
    return "\n".join(lines)


def always(command: Command) -> list[tuple[str, str]]:
    """Flags that are no options of a run, and their meanings."""
    name, _, meaning = DRY_RUN
    return [*([(f"--{name}", meaning)] if command.long else []), *_ALWAYS]


def by_topic(options: type[Options]) -> dict[str, list[dataclasses.Field]]:
    """The options by topic, the command's own first."""
    topics: dict[str, list[dataclasses.Field]] = {}
    order = {owner: place for place, owner in enumerate(options.__mro__)}
    fields = sorted(
        dataclasses.fields(options), key=lambda field: order[_owner(options, field)]
    )
    for field in fields:
        topic = field.metadata["topic"] or _owner(options, field).TOPIC
        topics.setdefault(topic, []).append(field)
    return topics


def _owner(options, field):
    """The class that declared the field first."""
    return [o for o in options.__mro__ if field.name in vars(o).get("__annotations__", {})][-1]  # fmt: skip


def flag_text(field: dataclasses.Field) -> str:
    """An option as one writes it, with its default: `--epochs=50`, `--[no]remat`."""
    name: str = field.name
    default: Any = field.default
    if field.type is bool:
        return f"--[no]{name}"
    if default is None or default in ("", ()):
        return f"--{name}={_form(field)}"
    if field.type == Size:
        return f"--{name}={format_size(default)}"
    if isinstance(default, tuple):
        return f"--{name}={','.join(map(str, default))}"
    return f"--{name}={default}"


def _form(field) -> str:
    kind = kinds_of(field.type)[0]
    if kind == Size:
        return "HxW"
    if typing.get_origin(kind) is tuple:
        return "A,B,..."
    return "..."


def flag_meaning(field: dataclasses.Field) -> str:
    """What an option means, which values it takes, and whether it must be given."""
    rules, words = field.metadata, [field.metadata["help"]]
    if choices := choices_of(field):
        words.append(f"One of {', '.join(choices)}.")
    if field.type is bool:
        words.append(f"By default {'on' if field.default else 'off'}.")
    if rules["needed"]:
        words.append("Must be given.")
    if rules["alias"]:
        words.append(f"Also --{rules['alias']}.")
    return " ".join(words)


def _width() -> int:
    return max(60, min(100, shutil.get_terminal_size().columns))


def _wrapped(text, first="", rest=""):
    return textwrap.wrap(
        text,
        _width(),
        initial_indent=first,
        subsequent_indent=rest,
        break_on_hyphens=False,
    )


def _entry(flag, meaning):
    """A flag, and its meaning beside it or, if the flag is long, below it."""
    start, indent = f"  {flag}", " " * _INDENT
    if len(start) + 2 <= _INDENT:
        return _wrapped(meaning, start.ljust(_INDENT), indent)
    return [start, *_wrapped(meaning, indent, indent)]


def _example(program, arguments):
    parts, lines = arguments.split(), [f"  {program}"]
    for part in parts:
        if len(lines[-1]) + len(part) + 3 > _width():
            lines[-1] += " \\"
            lines.append("    " + part)
        else:
            lines[-1] += " " + part
    return lines
