"""The folder of a run: flags, log, events, results."""

import dataclasses
import logging
import os
import pathlib
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

from lgcnet_tf.config import RunOptions, format_size
from lgcnet_tf.errors import InputError
from lgcnet_tf.events import Events
from lgcnet_tf.files import atomic_write, write_json

RESULTS = "results.json"
FLAGS = "flags.txt"
LOG = "log.txt"
WORKER_LOG = "log_worker{}.txt"
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

    Args:
        worker: number of this process among those of a distributed run. All
            but the first write only a log of their own there.

    Raises:
        InputError: there is no such option, or the folder holds a finished run
            or one with other flags.
    """

    def __init__(self, options: RunOptions, command: str, worker: int = 0):
        if not options.output_dir:
            raise InputError("--output_dir is missing: name a folder for the results.")
        self.path = pathlib.Path(options.output_dir)
        self.writes = worker == 0
        if self.path.exists() and not self.path.is_dir():
            raise InputError(f"{self.path}: not a folder; name one with --output_dir.")
        if (self.path / RESULTS).exists():
            raise InputError(
                f"{self.path} already holds a finished run; choose another --output_dir."
            )
        lines = [f"# lgcnet-{command.replace('_', '-')}", *flag_lines(options)]
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
        elif self.writes:
            try:
                with atomic_write(flags) as temporary:
                    temporary.write_text("\n".join(lines) + "\n")
            except OSError as error:
                raise InputError(
                    f"{self.path}: cannot write there: {error.strerror}."
                ) from None
        self._events = Events(self.path / EVENTS)
        if not self.writes:
            self.path.mkdir(parents=True, exist_ok=True)
        log = LOG if self.writes else WORKER_LOG.format(worker)
        self.log = _logger(self.path / log)
        name = command.replace("_", "-")
        self.log.info("lgcnet-%s %s", name, "goes on" if self.resumed else "starts")

    def __truediv__(self, name: str) -> pathlib.Path:
        return self.path / name

    def write_scalars(self, step: int, figures: dict[str, Any]) -> None:
        """Adds the numbers among `figures` to the run's TensorBoard events."""
        if self.writes:
            self._events.scalars(step, figures)

    def write_images(self, step: int, pictures: Mapping[str, np.ndarray | bytes]) -> None:
        """Adds pictures to the events: uint8 (height, width, 3), or PNG bytes."""
        if self.writes:
            self._events.images(step, pictures)

    def restart_events(self, step: int) -> None:
        """Voids the events from `step` on, which a resumed run writes again."""
        if self.writes:
            self._events.restart(step)

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
    # A line takes the place of an unfinished bar.
    erase = "\r\x1b[K" if sys.stderr.isatty() else ""
    to_terminal.setFormatter(logging.Formatter(f"{erase}%(message)s"))
    logger.addHandler(to_file)
    logger.addHandler(to_terminal)
    return logger
