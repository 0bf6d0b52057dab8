"""Command-line flags made of options."""

import dataclasses
import re
import sys
import typing
from collections.abc import Iterator

from absl import flags

from lgcnet_tf.config import Options, Size, format_size, in_words, kinds_of, parse_size
from lgcnet_tf.errors import InputError
from lgcnet_tf.flagfiles import flag_lines_of

_DEFINE = {
    bool: flags.DEFINE_bool,
    int: flags.DEFINE_integer,
    float: flags.DEFINE_float,
    str: flags.DEFINE_string,
}


class SizeParser(flags.ArgumentParser):
    """A flag of the form HxW."""

    syntactic_help = "HEIGHTxWIDTH"

    def parse(self, argument):
        return argument if isinstance(argument, tuple) else parse_size(argument)

    def flag_type(self):
        return "size"


class SizeSerializer(flags.ArgumentSerializer):
    """Writes it again for a flagfile."""

    def serialize(self, value):
        return format_size(value)


class TupleParser(flags.ArgumentParser):
    """A flag that lists values with commas between: `0,7,13`."""

    def __init__(self, kind):
        super().__init__()
        self.kind = kind
        self.syntactic_help = f"list of {kind.__name__} with commas between"

    def parse(self, argument):
        if isinstance(argument, tuple):
            return argument
        return tuple(self.kind(part) for part in argument.split(",") if part)

    def flag_type(self):
        return "list"


def define_flags(options: type[Options]) -> None:
    """Makes a flag of each field, with the field's default and help."""
    for field in dataclasses.fields(options):
        name, default, help = field.name, field.default, field.metadata["help"]
        kind, choices = kinds_of(field.type)[0], field.metadata["choices"]
        if choices and not callable(choices):  # else they are not known yet
            flags.DEFINE_enum(name, default, choices, help)  # pyright: ignore[reportCallIssue, reportArgumentType]
        elif kind in _DEFINE:
            _DEFINE[kind](name, default, help)
        elif kind == Size:
            flags.DEFINE(SizeParser(), name, default, help, serializer=SizeSerializer())
        else:
            kind, *_ = typing.get_args(kind)
            serializer = flags.CsvListSerializer(",")
            flags.DEFINE(TupleParser(kind), name, default, help, serializer=serializer)
        # Elsewhere than in the program's own file they would not be in absl's help.
        flags.FLAGS.register_key_flag_for_module(sys.argv[0], flags.FLAGS[name])
        if alias := field.metadata["alias"]:
            flags.DEFINE_alias(alias, name)


def options_from_flags(options: type[Options]) -> Options:
    """The options as the command line gave them."""
    names = [field.name for field in dataclasses.fields(options)]
    return options(**{name: getattr(flags.FLAGS, name) for name in names})


def parse(options: type[Options], arguments: list[str]) -> tuple[list[str], list[str]]:
    """Parses a command line, past what is wrong with it.

    Args:
        options: what the flags were made of.
        arguments: the program's name and what follows it.

    Returns:
        The arguments that are no flags, the program's name first, and what is wrong
        with the flags, a line for each.
    """
    wrong: list[str] = []
    try:
        arguments = [arguments[0], *_expanded(arguments[1:])]
    except InputError as error:
        return arguments[:1], [f"--flagfile: {error}"]
    while True:
        try:
            return flags.FLAGS(arguments), wrong
        except flags.UnrecognizedFlagError as error:
            name, line = error.flagname, f"unknown flag --{error.flagname}."
            if close := re.search(r"Did you mean: (.*?) ?\?", str(error)):
                names = [f"--{name.strip()}" for name in close.group(1).split(",")]
                line += f" Did you mean {' or '.join(names)}?"
        except flags.Error as error:
            line = " ".join(str(error).split())
            found = re.search(r"--?(?:no)?(\w+)", line)
            name = found.group(1) if found else ""
            line = _wrong_value(options, name, line) or line
        wrong.append(line)
        rest = _without(arguments, name)
        if len(rest) == len(arguments):  # it cannot be told which argument it was
            return arguments[:1], wrong
        arguments = rest


def _wrong_value(options: type[Options], name: str, line: str) -> str:
    """What to say of a flag's value, in place of what absl says of it.

    Empty where the flag is none of the options, or something else is wrong.
    """
    fields = {field.name: field for field in dataclasses.fields(options)}
    fields |= {f.metadata["alias"]: f for f in fields.values() if f.metadata["alias"]}
    found = re.match(rf"flag --{re.escape(name)}=(.*?): ", line)
    if name not in fields or not found:
        return ""
    field = fields[name]
    rule = f"takes {in_words(field.type)}"
    if choices := field.metadata["choices"]:
        rule = f"must be one of {', '.join(choices)}"
    elif kinds_of(field.type)[0] == Size:
        rule = "takes a size, HEIGHTxWIDTH, such as 360x480"
    return f"--{name} {rule}. Received: {found.group(1)!r}"


def _expanded(arguments: list[str]) -> Iterator[str]:
    """The arguments, with what stands in a flagfile in place of its name."""
    rest = iter(arguments)
    for argument in rest:
        name, equals, value = argument.partition("=")
        if name not in ("--flagfile", "-flagfile"):
            yield argument
            continue
        for _, line in flag_lines_of(value if equals else next(rest, "")):
            yield line


def _without(arguments: list[str], name: str) -> list[str]:
    """The arguments but for the flag `name`, however it is written."""
    written = re.compile(rf"--?(?:no)?{re.escape(name)}(?:=.*)?", re.DOTALL)
    return [arguments[0], *(a for a in arguments[1:] if not written.fullmatch(a))]
