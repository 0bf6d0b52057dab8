"""The folder of a run: flags, inputs, log, events, results."""

import dataclasses
import fcntl
import logging
import os
import pathlib
import sys
import weakref
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from lgcnet_tf.config import RunOptions, format_size
from lgcnet_tf.errors import InputError
from lgcnet_tf.events import Events
from lgcnet_tf.extensions import extension_inputs
from lgcnet_tf.files import atomic_write, fingerprint, read_json, write_json

RESULTS = "results.json"
FLAGS = "flags.txt"
INPUTS = "inputs.json"
LOG = "log.txt"
WORKER_LOG = "log_worker{}.txt"
EVENTS = "events"
GENOTYPE = "genotype.json"
ALPHAS = "alphas.npz"
MODEL = "model.keras"
BEST_MODEL = "best.keras"
CHECKPOINTS = "checkpoints"
HISTORY = "history.json"
LATENCY_TABLE = "latency_table.json"

Inputs = Mapping[str, Mapping[str, str]]
"""What a run reads: for each input the fingerprints of its parts, by name."""

_SHOWN = 3


class Sink(Protocol):
    """Takes what a run has to show, as `Events` does."""

    def scalars(self, step: int, figures: Mapping[str, Any]) -> None: ...

    def images(self, step: int, pictures: Mapping[str, np.ndarray | bytes]) -> None: ...


def flag_lines(options: RunOptions) -> list[str]:
    """The effective flags, one a line, as a flagfile takes them."""
    lines = []
    for field in dataclasses.fields(options):
        value = getattr(options, field.name)
        if isinstance(value, bool):
            lines.append(f"--{'' if value else 'no'}{field.name}")
        elif isinstance(value, tuple):
            text = (
                format_size(value)
                if field.name.endswith("_size")
                else ",".join(map(str, value))
            )
            lines.append(f"--{field.name}={text}")
        elif value is not None:
            lines.append(f"--{field.name}={value}")
    return lines


def flag_changes(
    before: Sequence[str], now: Sequence[str], options: type[RunOptions]
) -> list[str]:
    """The lines of two flagfiles that are not in both.

    A flag that the older file does not know, as it was written by an earlier release,
    is no difference while it has its default.
    """
    known = {_flag_name(line) for line in before}
    defaults = {line for line in flag_lines(options()) if _flag_name(line) not in known}
    return sorted((set(now) - defaults) ^ set(before))


def _flag_name(line):
    return line.partition("=")[0].removeprefix("--").removeprefix("no")


class Lock:
    """An operating system's lock on a file or folder; it ends with its process.

    Whoever asks for it again in the same process gets it; it is given back when
    nobody there holds the object any more.

    Args:
        path: a file, made if absent, or a folder that exists.

    Attributes:
        works: False on a file system without locks.

    Raises:
        InputError: another process has it.
        OSError: the file cannot be opened.
    """

    _held: "weakref.WeakValueDictionary[str, Lock]" = weakref.WeakValueDictionary()

    def __new__(cls, path: str | os.PathLike):
        key = os.path.realpath(path)
        if (held := cls._held.get(key)) is None:
            held = super().__new__(cls)
            held._take(path)
            cls._held[key] = held
        return held

    def _take(self, path):
        mode = os.O_RDONLY if os.path.isdir(path) else os.O_RDWR | os.O_CREAT
        handle = os.open(path, mode, 0o666)  # programs started from here do not get it
        self._close = weakref.finalize(self, os.close, handle)
        self.works = True
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._close()
            folder = path if os.path.isdir(path) else os.path.dirname(path)
            raise InputError(
                f"{folder}: another process is at work in this folder; wait for it or "
                "name another one."
            ) from None
        except OSError:
            self.works = False


def refuse_finished(output_dir: str | os.PathLike) -> None:
    """Refuses the folder of a finished run, before anything is loaded.

    Raises:
        InputError: it has results.
    """
    if output_dir and (pathlib.Path(output_dir) / RESULTS).exists():
        raise _finished(pathlib.Path(output_dir))


class RunFolder:
    """Opens `options.output_dir` for one run, or for the rest of a broken one.

    One process at a time has it, in a distributed run one for each worker.

    Args:
        inputs: fingerprints of what the run reads. A broken run goes on only if
            they are what they were at its start (`inputs.json`).
        worker: number of this process among those of a distributed run. All
            but the first write only a log of their own there.

    Raises:
        InputError: there is no such option, another process is at work there, or
            the folder holds a finished run or one with other flags or inputs.
    """

    def __init__(
        self,
        options: RunOptions,
        command: str,
        worker: int = 0,
        inputs: Inputs | None = None,
    ):
        if not options.output_dir:
            raise InputError("--output_dir is missing: name a folder for the results.")
        self.path = pathlib.Path(options.output_dir)
        self.writes = worker == 0
        if self.path.exists() and not self.path.is_dir():
            raise InputError(f"{self.path}: not a folder; name one with --output_dir.")
        if (self.path / RESULTS).exists():
            raise _finished(self.path)
        log = self.path / (LOG if self.writes else WORKER_LOG.format(worker))
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = Lock(log)
        except OSError as error:
            raise InputError(
                f"{self.path}: cannot write there: {error.strerror}."
            ) from None
        if (self.path / RESULTS).exists():  # of the process that had the lock before
            raise _finished(self.path)
        lines = [f"# lgcnet-{command.replace('_', '-')}", *flag_lines(options)]
        flags = self.path / FLAGS
        self.resumed = flags.exists()
        notes = [] if self._lock.works else ["this file system has no locks"]
        inputs = dict(inputs or {}) | extension_inputs(options.extension)
        if self.resumed:
            before = flags.read_text().splitlines()
            if changed := flag_changes(before, lines, type(options)):
                raise InputError(
                    f"{self.path} already holds another run; choose another "
                    f"--output_dir. Different flags: {' '.join(changed)}"
                )
            notes += self._compare_inputs(inputs)
        elif self.writes:
            write_json(self.path / INPUTS, inputs)
            with atomic_write(flags) as temporary:
                temporary.write_text("\n".join(lines) + "\n")
        self._events = Events(self.path / EVENTS)
        self._sinks: list[Sink] = [self._events]
        self.log = _logger(log)
        name = command.replace("_", "-")
        self.log.info("lgcnet-%s %s", name, "goes on" if self.resumed else "starts")
        for note in notes:
            self.log.info("%s: %s", self.path, note)

    def _compare_inputs(self, inputs: Inputs) -> list[str]:
        """Refuses inputs other than at the start; notes for the log."""
        path = self.path / INPUTS
        if path.exists():
            if changed := input_changes(read_json(path), inputs):
                raise InputError(
                    f"{self.path}: cannot go on, its inputs are not what they were when "
                    f"it began: {'; '.join(changed)}. Bring them back or choose "
                    "another --output_dir."
                )
        elif self.writes:
            write_json(path, inputs)
            return [
                "begun before inputs were recorded: whether they changed until now is "
                "not known."
            ]
        return []

    def __truediv__(self, name: str) -> pathlib.Path:
        return self.path / name

    def add_sink(self, sink: Sink) -> None:
        """Has another one get the numbers and pictures that the events get."""
        self._sinks.append(sink)

    def write_scalars(self, step: int, figures: dict[str, Any]) -> None:
        """Adds the numbers among `figures` to the run's TensorBoard events."""
        for sink in self._sinks if self.writes else ():
            sink.scalars(step, figures)

    def write_images(
        self, step: int, pictures: Mapping[str, np.ndarray | bytes]
    ) -> None:
        """Adds pictures to the events: uint8 (height, width, 3), or PNG bytes."""
        for sink in self._sinks if self.writes else ():
            sink.images(step, pictures)

    def write_flags(self) -> None:
        """Adds the flags to the events as a text, once in a run's life."""
        if self.writes and not self.resumed:
            lines = (self.path / FLAGS).read_text().splitlines()
            text = "\n".join(f"    {line}" for line in lines)
            self._events.text(0, {"flags": text})

    def write_graph(self, nodes: Iterable[tuple[str, str, Sequence[str]]]) -> None:
        """Adds a graph to the events, see `Events.graph`, once in a run's life."""
        if self.writes and not self.resumed:
            self._events.graph(nodes)

    def restart_events(self, step: int) -> None:
        """Voids the events from `step` on, which a resumed run writes again."""
        if self.writes:
            self._events.restart(step)

    def finish(
        self, results: dict[str, Any], made: str | os.PathLike = ""
    ) -> dict[str, Any]:
        """Writes `results.json`: from then on the run counts as finished.

        Args:
            results: the run's figures.
            made: path of what the run is for, which the log's last line then names.
        """
        self.write_scalars(0, {f"results/{k}": v for k, v in results.items()})
        self._events.close()
        write_json(self.path / RESULTS, results)
        figures = f" (figures in {RESULTS})" if made else ""
        self.log.info("done: %s%s", made or self.path / RESULTS, figures)
        self.release()
        return results

    def release(self) -> None:
        """Lets other processes have the folder: this one has finished or given up."""
        self._lock = None


def input_file(name: str, path: str | os.PathLike) -> Inputs:
    """A file as the input `name`; nothing where the path is empty.

    Raises:
        InputError: there is no such file.
    """
    return {name: {str(path): fingerprint(path)}} if path else {}


def input_changes(before: Inputs, now: Inputs) -> list[str]:
    """What is not the same in the inputs of a run, a line for each of them."""
    lines = []
    for name in dict.fromkeys([*before, *now]):
        then, here = before.get(name, {}), now.get(name, {})
        parts = (
            ("added", [part for part in here if part not in then]),
            ("removed", [part for part in then if part not in here]),
            ("changed", [p for p in here if p in then and here[p] != then[p]]),
        )
        words = [f"{_some(names)} {verb}" for verb, names in parts if names]
        if words:
            lines.append(f"{name}: {', '.join(words)}")
    return lines


def _some(names: list[str]) -> str:
    more = len(names) - _SHOWN
    return " ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _finished(path: pathlib.Path) -> InputError:
    return InputError(
        f"{path} already holds a finished run; choose another --output_dir."
    )


def _logger(path: os.PathLike) -> logging.Logger:
    logger = logging.getLogger("lgcnet_tf")
    for handler in list(logger.handlers):
        handler.close()
        logger.removeHandler(handler)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    to_file = logging.FileHandler(path)
    to_file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    to_terminal = logging.StreamHandler(sys.stderr)
    to_terminal.setLevel(logging.INFO)
    # A line takes the place of an unfinished bar.
    erase = "\r\x1b[K" if sys.stderr.isatty() else ""
    to_terminal.setFormatter(logging.Formatter(f"{erase}%(message)s"))
    logger.addHandler(to_file)
    logger.addHandler(to_terminal)
    return logger
