"""The folder of a run: flags, log, events, results."""

import dataclasses
import logging
import os
import pathlib
import sys
import time
from typing import Any

from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from lgcnet_tf.config import RunOptions, format_size
from lgcnet_tf.errors import InputError
from lgcnet_tf.files import atomic_write, write_json

RESULTS = "results.json"
FLAGS = "flags.txt"
LOG = "log.txt"
EVENTS = "events"


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


class RunFolder:
    """Opens `options.output_dir` for one run, or for the rest of a broken one.

    Raises:
        InputError: there is no such option, or the folder holds a finished run
            or one with other flags.
    """

    def __init__(self, options: RunOptions, command: str):
        if not options.output_dir:
            raise InputError("--output_dir is missing: name a folder for the results.")
        self.path = pathlib.Path(options.output_dir)
        if self.path.exists() and not self.path.is_dir():
            raise InputError(f"{self.path}: not a folder; name one with --output_dir.")
        if (self.path / RESULTS).exists():
            raise InputError(
                f"{self.path} already holds a finished run; choose another --output_dir."
            )
        lines = [f"# lgcnet-{command}", *flag_lines(options)]
        flags = self.path / FLAGS
        self.resumed = flags.exists()
        if self.resumed:
            before = flags.read_text().splitlines()
            if before != lines:
                changed = sorted(set(lines) ^ set(before))
                raise InputError(
                    f"{self.path} already holds another run; choose another "
                    f"--output_dir. Different flags: {' '.join(changed)}"
                )
        else:
            try:
                with atomic_write(flags) as temporary:
                    temporary.write_text("\n".join(lines) + "\n")
            except OSError as error:
                raise InputError(
                    f"{self.path}: cannot write there: {error.strerror}."
                ) from None
        self._events: EventFileWriter | None = None
        self.log = _logger(self.path / LOG)
        self.log.info("lgcnet-%s %s", command, "goes on" if self.resumed else "starts")

    def __truediv__(self, name: str) -> pathlib.Path:
        return self.path / name

    def write_scalars(self, step: int, figures: dict[str, Any]) -> None:
        """Adds the numbers among `figures` to the run's TensorBoard events."""
        if self._events is None:
            self._events = EventFileWriter(str(self.path / EVENTS))
        values = [
            summary_pb2.Summary.Value(tag=name, simple_value=float(value))
            for name, value in figures.items()
            if isinstance(value, (int, float)) and not isinstance(value, bool)
        ]
        self._events.add_event(
            event_pb2.Event(
                wall_time=time.time(),
                step=step,
                summary=summary_pb2.Summary(value=values),
            )
        )
        self._events.flush()

    def finish(self, results: dict[str, Any]) -> dict[str, Any]:
        """Writes `results.json`: from then on the run counts as finished."""
        self.write_scalars(0, {f"results/{k}": v for k, v in results.items()})
        self._events.close()
        write_json(self.path / RESULTS, results)
        self.log.info("done: %s", self.path / RESULTS)
        return results


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
    to_terminal.setFormatter(logging.Formatter("%(message)s"))
    logger.addHandler(to_file)
    logger.addHandler(to_terminal)
    return logger
