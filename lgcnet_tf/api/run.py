"""What the functions share: options from arguments, a folder, errors, quiet imports."""

import atexit
import contextlib
import dataclasses
import functools
import inspect
import os
import pathlib
import re
import shutil
import sys
import tempfile
import typing
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from lgcnet_tf.config import Options, RunOptions, choices_of, kinds_of
from lgcnet_tf.convert.quiet import quiet
from lgcnet_tf.errors import InputError, did_you_mean
from lgcnet_tf.files import read_json
from lgcnet_tf.run_folder import FLAGS, RESULTS, flag_changes, flag_lines


def import_quietly() -> None:
    """Imports Keras with its backend, and keeps back what that prints from C++."""
    if "keras" in sys.modules:
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with quiet():
        import keras  # noqa: F401

        if "tensorflow" in sys.modules:  # it looks for devices at first use
            sys.modules["tensorflow"].config.list_physical_devices()


def with_options(options: type[Options], *without: str) -> Callable[[Any], Any]:
    """Gives a function with `**options` their names, defaults and meanings.

    They stand in its signature and at the end of its docstring, are checked before it
    begins, and its errors name arguments instead of flags.

    Args:
        options: of the command that the function calls.
        without: those that the function sets itself.
    """
    fields = [f for f in dataclasses.fields(options) if f.name not in without]

    def decorate(function):
        own = inspect.signature(function)
        named = [p for p in own.parameters.values() if p.kind is not p.VAR_KEYWORD]
        known = {p.name for p in named}
        listed = [field for field in fields if field.name not in known]

        @functools.wraps(function)
        def call(*args, **kwargs):
            _check_names(function.__name__, kwargs, [*known, *(f.name for f in listed)])
            with argument_names(options):
                names = [field.name for field in listed]
                make_options(options, {n: kwargs[n] for n in names if n in kwargs})
                import_quietly()
                with contextlib.redirect_stdout(
                    sys.stderr
                ):  # bars; what counts is returned
                    return function(*args, **kwargs)

        keyword = inspect.Parameter.KEYWORD_ONLY
        signature = own.replace(
            parameters=named
            + [
                inspect.Parameter(f.name, keyword, default=f.default, annotation=f.type)
                for f in listed
            ]
        )
        setattr(call, "__signature__", signature)  # noqa: B010
        call.__doc__ = f"{inspect.getdoc(function)}\n\nOptions:\n" + "".join(
            f"    {field.name}: {_meaning(field)}\n" for field in listed
        )
        return call

    return decorate


def _check_names(function, given, known):
    for name in given:
        if name not in known:
            hint = did_you_mean(name, known)
            raise TypeError(f"{function}() has no argument {name!r}.{hint}")


def _meaning(field) -> str:
    words = field.metadata["help"].replace("--", "")
    if choices := choices_of(field):
        words += f" One of {', '.join(choices)}."
    return words


@contextlib.contextmanager
def argument_names(options: type[Options]) -> Iterator[None]:
    """Has an `InputError` of the block name arguments, `epochs`, not `--epochs`."""
    try:
        yield
    except InputError as error:
        names = "|".join(field.name for field in dataclasses.fields(options))
        text = re.sub(rf"--({names})\b", r"\1", str(error))
        raise type(error)(text) from None


def make_options(options: type[Options], values: dict[str, Any]) -> Any:
    """Options of plain arguments, checked.

    Lists may stand for tuples, whole numbers for floats, NumPy's scalars for Python's.

    Raises:
        InputError: a value is of another type than its option, or out of its range.
    """
    kinds = {f.name: kinds_of(f.type)[0] for f in dataclasses.fields(options)}
    plain = {name: _plain(value, kinds[name]) for name, value in values.items()}
    made = options(**plain)
    made.check()
    return made


def _plain(value: Any, kind: Any) -> Any:
    """A value as a command line would give it."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, list | tuple):
        part = (typing.get_args(kind) or (None,))[0]
        return tuple(_plain(one, part) for one in value)
    whole = isinstance(value, int) and not isinstance(value, bool)
    return float(value) if kind is float and whole else value


def folder_for(output_dir: str | os.PathLike | None) -> pathlib.Path:
    """A run's folder: the one that is given, or one that lasts as long as Python."""
    if output_dir:
        return pathlib.Path(output_dir)
    folder = tempfile.mkdtemp(prefix="lgcnet_")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return pathlib.Path(folder) / "run"


def run_once(
    command: Callable[[Any], Any],
    options: RunOptions,
    resolved: Callable[[Any], Any] = lambda options: options,
) -> dict[str, Any]:
    """Calls the command, or reads what it left where it has finished with just these.

    So a cell of a notebook that is run again has the same result as before.

    Args:
        resolved: gives the options the defaults that the command gives them.
    """
    folder = pathlib.Path(options.output_dir)
    if (folder / RESULTS).is_file() and (folder / FLAGS).is_file():
        lines = (folder / FLAGS).read_text().splitlines()
        before = [line for line in lines if line.startswith("--")]
        if not flag_changes(before, flag_lines(resolved(options)), type(options)):
            return read_json(folder / RESULTS)
    return command(options)


def keep(thing: Any, path: pathlib.Path) -> str:
    """Saves an object that has `save` where the run reads it from.

    Raises:
        InputError: another one is there.
    """
    if path.is_file():
        if type(thing).load(path) != thing:
            raise InputError(f"{path}: of another run; choose another --output_dir.")
        return str(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    thing.save(path)
    return str(path)
