"""What the binaries share: flags from options, one line for an error."""

import contextlib
import dataclasses
import logging as standard_logging
import os
import sys
import threading
import time
import typing
from collections.abc import Callable, Iterator
from typing import Any

from absl import app, flags, logging

from lgcnet_tf.config import Options, Size, format_size, parse_size
from lgcnet_tf.convert.packages import needs
from lgcnet_tf.errors import InputError, WorkerLost
from lgcnet_tf.files import full_disk
from lgcnet_tf.interruption import INTERRUPTION, Interrupted


@contextlib.contextmanager
def quiet_start(backends: bool = True) -> Iterator[None]:
    """Hides TensorFlow's notes on start-up, which no log level does.

    They come from C++ and bypass Python, so standard error itself is turned
    away while the block runs. What TensorFlow logs as errors later is left out
    too: what concerns us it also raises. A package that the block imports and that
    is not installed ends the process with one line; other exceptions are raised.

    Args:
        backends: the command runs on other backends than TensorFlow too.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    saved, missing = os.dup(2), ""
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
        if "tensorflow" in sys.modules:  # it looks for devices at first use
            sys.modules["tensorflow"].config.list_physical_devices()
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing in ("", "lgcnet_tf"):
            raise
    finally:
        os.dup2(saved, 2)
        os.close(saved)
    if missing:
        hint = ""
        if backends and missing == "tensorflow" and "KERAS_BACKEND" not in os.environ:
            hint = " On another backend set KERAS_BACKEND, as to jax."
        fail(f"{needs(missing)}{hint}")


@contextlib.contextmanager
def resumable() -> Iterator[None]:
    """Lets SIGTERM and SIGINT end the block as soon as what is new is saved.

    The process then exits with 0 (SIGTERM) or 130 (SIGINT), after one line.
    """
    with INTERRUPTION.installed():
        try:
            yield
        except Interrupted as stop:
            print(f"{_program()}: {stop}", file=sys.stderr, flush=True)
            sys.stdout.flush()
            # Threads that read data would hold up the usual way out.
            os._exit(INTERRUPTION.status)


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
        if field.metadata["choices"]:
            flags.DEFINE_enum(name, default, field.metadata["choices"], help)
        elif field.type in _DEFINE:
            _DEFINE[field.type](name, default, help)
        elif field.type in (Size, Size | None):
            flags.DEFINE(SizeParser(), name, default, help, serializer=SizeSerializer())
        else:
            kind, *_ = typing.get_args(field.type)
            serializer = flags.CsvListSerializer(",")
            flags.DEFINE(TupleParser(kind), name, default, help, serializer=serializer)
        # Elsewhere than in the program's own file they would not be in --help.
        flags.FLAGS.register_key_flag_for_module(sys.argv[0], flags.FLAGS[name])
        if alias := field.metadata["alias"]:
            flags.DEFINE_alias(alias, name)


def options_from_flags(options: type[Options]) -> Options:
    """The options as the command line gave them."""
    names = [field.name for field in dataclasses.fields(options)]
    return options(**{name: getattr(flags.FLAGS, name) for name in names})


def run(options: type[Options], command: Callable[[Any], Any]) -> None:
    """Parses flags and runs `command` on them; the body of every binary.

    An `InputError` is one line on standard error and exit status 1.
    """
    define_flags(options)

    def main(argv):
        if len(argv) > 1:
            fail(f"unknown argument {argv[1]!r}; every option is a --flag.")
        logging.set_verbosity(logging.WARNING)  # of TensorFlow and TFDS
        _hush_full_disk()
        try:
            command(options_from_flags(options))
        except InputError as error:
            fail(str(error))
        except OSError as error:
            if not full_disk(error):
                raise
            what = f"{error.filename}: " if error.filename else ""
            fail(f"{what}{error.strerror}. Make room and give the same command again.")
        except WorkerLost as error:
            INTERRUPTION.allow()  # one that was asked to stop does
            start_again(str(error))
        except KeyboardInterrupt:
            fail("interrupted.", 130)

    app.run(main)


def start_again(message: str) -> None:
    """Prints one line and becomes the same command anew."""
    text = " ".join(message.split())
    print(f"{_program()}: {text} Starting again.", file=sys.stderr, flush=True)
    time.sleep(1.0)  # others may have to notice first
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def fail(message: str, status: int = 1) -> None:
    """Prints one line and leaves."""
    text = " ".join(message.split())
    print(f"{_program()}: {text}", file=sys.stderr)
    sys.exit(status)


def _hush_full_disk():
    """Keeps back what logs and TensorBoard's thread say of it: the run says it."""
    standard_logging.raiseExceptions = False
    shown = threading.excepthook

    def hook(failed):
        if not full_disk(failed.exc_value):
            shown(failed)

    threading.excepthook = hook


def _program():
    return os.path.basename(sys.argv[0]).removesuffix(".py")
