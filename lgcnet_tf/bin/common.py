"""Running a command: its flags, what is wrong with them, one line for an error."""

import contextlib
import gc
import importlib
import logging as standard_logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn

from absl import app, flags, logging

from lgcnet_tf.bin.flags import define_flags, options_from_flags, parse
from lgcnet_tf.bin.help import DRY_RUN, help_text, version
from lgcnet_tf.bin.table import Command, command
from lgcnet_tf.commands.dry_run import dry_run, missing_of_dry_run
from lgcnet_tf.commands.given import check_given
from lgcnet_tf.config import Options
from lgcnet_tf.convert.packages import needs
from lgcnet_tf.convert.quiet import quiet
from lgcnet_tf.errors import InputError, WorkerLost
from lgcnet_tf.files import full_disk
from lgcnet_tf.interruption import INTERRUPTION, Interrupted
from lgcnet_tf.runtimes.settings import check_backend, keras_backend

_NEEDLESS = ("jax", "matplotlib.pyplot", "cv2")
"""What TensorFlow and its Keras try to import for functions that no command calls."""

_HELP = ("help", "helpshort", "helpfull", "h", "?")


@contextlib.contextmanager
def quiet_start(backends: bool = True) -> Iterator[None]:
    """Hides TensorFlow's notes on start-up, which no log level does.

    They come from C++ and bypass Python, so standard error itself is turned
    away while the block runs. What TensorFlow logs as errors later is left out
    too: what concerns us it also raises. A package that the block imports and that
    is not installed ends the process with one line; other exceptions are raised.

    What is imported stays: collections of circles neither begin meanwhile, which would
    take a fifth of the time, nor look at it later.

    Args:
        backends: the command runs on other backends than TensorFlow too.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    saved, missing = os.dup(2), ""
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    collecting = gc.isenabled()
    gc.disable()
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
        if collecting:
            gc.freeze()
            gc.enable()
    if missing:
        hint = ""
        if backends and missing == "tensorflow" and "KERAS_BACKEND" not in os.environ:
            hint = " On another backend set KERAS_BACKEND, as to jax."
        fail(f"{needs(missing)}{hint}")


@contextlib.contextmanager
def without_needless_imports() -> Iterator[None]:
    """Takes `_NEEDLESS` for absent while the block imports TensorFlow.

    They are a quarter of the time that it takes. Afterwards all can be imported.
    Nothing is kept from Keras on another backend, which may be one of them.
    """
    modules: dict[str, Any] = sys.modules
    names = [name for name in _NEEDLESS if name not in modules]
    if keras_backend() != "tensorflow":
        names = []
    modules.update(dict.fromkeys(names))
    try:
        yield
    finally:
        for name in names:
            if modules.get(name, True) is None:
                del modules[name]


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


def entry_point(name: str) -> Callable[[], None]:
    """The `main` of the command `name` of the table."""

    def main() -> None:
        try:
            run_command(command(name))
            sys.stdout.flush()
        except BrokenPipeError:  # who reads has gone, as `head` does
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(1)

    return main


def run_command(found: Command) -> None:
    """Runs a command of the table on the process' arguments.

    Help, version and all that is wrong with the flags are told before anything
    heavy is imported.
    """
    module = importlib.import_module(found.module)
    options, function = (getattr(module, n) for n in (found.options, found.function))
    asked = {a.lstrip("-") for a in sys.argv[1:] if a.startswith("-")}
    if asked & set(_HELP):
        print(help_text(_program(), found, options))
        return
    if "version" in asked:
        print(f"{_program()} {version()}")
        return

    def start(values):
        check_given(values)
        if resolve := getattr(module, "resolved", None):
            values = resolve(values)
        if found.long and flags.FLAGS.dry_run:
            print("\n".join(dry_run(found.name, values)), flush=True)
            return
        check_backend()
        with quiet_start(found.backends), without_needless_imports():
            for name in found.imports:
                importlib.import_module(name)
        function(values)

    if found.long:
        flags.DEFINE_bool(*DRY_RUN)
    with resumable() if found.resumable else contextlib.nullcontext():
        run(options, start)


def run(options: type[Options], command: Callable[[Any], Any]) -> None:
    """Parses flags and runs `command` on them; the body of every binary.

    What is wrong with the flags is told at once, a line for each. An `InputError` is
    one line on standard error and exit status 1.
    """
    define_flags(options)
    given = []

    def parser(argv):
        arguments, wrong = parse(options, argv)
        if options.POSITIONAL:
            flag = flags.FLAGS[options.POSITIONAL]
            flag.value = (*(flag.value or ()), *arguments[1:])
        else:
            wrong += [f"unknown argument {a!r}; every option is a --flag." for a in arguments[1:]]  # fmt: skip
        if not flags.FLAGS.is_parsed():
            fail([*wrong, "Pass --help to see the flags."])
        given.append(options_from_flags(options))
        wrong += _wrong_values(given[0])
        if wrong:
            fail([*wrong, "Pass --help to see the flags."])
        return arguments

    def main(argv):
        logging.set_verbosity(logging.WARNING)  # of TensorFlow and TFDS
        _hush_full_disk()
        try:
            command(given[0])
        except InputError as error:
            fail(str(error).splitlines())
        except OSError as error:
            if not full_disk(error):
                raise
            what = f"{error.filename}: " if error.filename else ""
            fail(f"{what}{error.strerror}. Make room and give the same command again.")
        except ModuleNotFoundError as error:
            package = (error.name or "").partition(".")[0]
            if package in ("", "lgcnet_tf"):
                raise
            fail(needs(package))
        except WorkerLost as error:
            INTERRUPTION.allow()  # one that was asked to stop does
            start_again(str(error))
        except KeyboardInterrupt:
            fail("interrupted.", 130)

    app.run(main, flags_parser=parser)


def _wrong_values(options: Options) -> list[str]:
    """What is missing or wrong among the options, a line for each."""
    wrong = list(options.missing())
    if "dry_run" in flags.FLAGS and flags.FLAGS.dry_run:
        wrong = missing_of_dry_run(options)
    hushed = contextlib.nullcontext()
    if getattr(options, "extension", ()):
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        hushed = quiet()
    try:
        with hushed:  # an extension imports what it likes
            options.check()
    except InputError as error:
        wrong += str(error).splitlines()
    return wrong


def start_again(message: str) -> None:
    """Prints one line and becomes the same command anew."""
    text = " ".join(message.split())
    print(f"{_program()}: {text} Starting again.", file=sys.stderr, flush=True)
    time.sleep(1.0)  # others may have to notice first
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def fail(message: str | Sequence[str], status: int = 1) -> NoReturn:
    """Prints a line, or each of several, and leaves."""
    for line in [message] if isinstance(message, str) else message:
        print(f"{_program()}: {' '.join(line.split())}", file=sys.stderr)
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
