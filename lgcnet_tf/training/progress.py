"""What a training says while it runs: an estimate, a line per epoch, a bar."""

import logging
import math
import shutil
import time
from collections.abc import Mapping
from typing import Any, TextIO

FIGURES = {
    "loss": ("loss", 1.0, ".4g", ""),
    "miou": ("mIoU", 100.0, ".1f", " %"),
    "val_miou": ("val mIoU", 100.0, ".1f", " %"),
    "top1": ("top-1", 100.0, ".1f", " %"),
    "val_top1": ("val top-1", 100.0, ".1f", " %"),
    "val_top5": ("val top-5", 100.0, ".1f", " %"),
    "left_out_miou": ("left-out mIoU", 100.0, ".1f", " %"),
    "expected_latency_ms": ("expected", 1.0, ".4g", " ms"),
    "derived_latency_ms": ("derived", 1.0, ".4g", " ms"),
    "target_latency_ms": ("target", 1.0, ".4g", " ms"),
}
"""The figures that are shown: name, factor, format and unit."""

_STEPS, _PATIENCE_S = 5, 5.0  # of which the first estimate is made
_BAR = 10
_SECONDS = 0.2  # from one drawing of the bar to the next


def figures_text(figures: Mapping[str, Any]) -> str:
    """The figures worth a line, for example `loss 1.92, mIoU 31.2 %`."""
    return ", ".join(
        f"{name} {factor * float(figures[key]):{form}}{unit}"
        for key, (name, factor, form, unit) in FIGURES.items()
        if key in figures
    )


def duration_text(seconds: float) -> str:
    """A duration as a person would say it: `50 s`, `41 min`, `2 h 05 min`."""
    if seconds < 90:
        return f"{math.ceil(seconds)} s"
    minutes = math.ceil(seconds / 60)
    return (
        f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02} min"
    )


class Progress:
    """Tells how far a training is and how long it still takes.

    Args:
        log: gets a line for each epoch.
        epochs: of the whole run.
        steps: of an epoch.
        terminal: shows the bar of an epoch, if it is a terminal.
    """

    def __init__(
        self,
        log: logging.Logger,
        epochs: int,
        steps: int,
        terminal: TextIO | None = None,
    ):
        self.log = log
        self.epochs = epochs
        self.steps = steps
        self.terminal = terminal if terminal and terminal.isatty() else None
        self._first: tuple[int, float] | None = None
        self._estimated = False
        self._drawn = -math.inf

    def step(self, epoch: int, step: int, figures: Mapping[str, Any]) -> None:
        """Call it after each step.

        Args:
            epoch: from 0.
            step: steps done in the epoch.
            figures: so far in the epoch.
        """
        now = time.monotonic()
        if self._first is None:  # tracing belongs to the first step alone
            self._first = epoch * self.steps + step, now
        self._estimate(epoch * self.steps + step, now)
        if self.terminal is None or now - self._drawn < _SECONDS:
            return
        self._drawn = now
        done = round(_BAR * step / self.steps)
        line = self._line(
            f"epoch {epoch + 1}/{self.epochs} [{'=' * done}{' ' * (_BAR - done)}] "
            f"{step}/{self.steps}",
            figures_text(figures),
            self._left(epoch * self.steps + step),
        )
        columns = shutil.get_terminal_size().columns
        self.terminal.write(f"\r\x1b[K{line[: columns - 1]}")
        self.terminal.flush()

    def epoch(self, epoch: int, figures: Mapping[str, Any]) -> None:
        """Call it at the end of each epoch, from 0, with its figures."""
        self._drawn, self._estimated = -math.inf, True
        line = self._line(
            f"epoch {epoch + 1}/{self.epochs}:",
            figures_text(figures),
            self._left((epoch + 1) * self.steps),
        )
        self.log.info("%s", line)

    def _estimate(self, done, now):
        """Says once, soon after the first step, how long the run still takes."""
        before, since = self._first
        if self._estimated or done - before < _STEPS or now - since < _PATIENCE_S:
            return
        self._estimated = True
        self.log.info(
            "a step takes %.3g s: %s",
            (now - since) / (done - before),
            self._left(done) or "the last one is done",
        )

    def _left(self, done):
        if self._first is None or done <= self._first[0]:
            return ""
        steps_left = self.epochs * self.steps - done
        if not steps_left:
            return ""
        before, since = self._first
        rate = (time.monotonic() - since) / (done - before)
        return f"about {duration_text(rate * steps_left)} left"

    @staticmethod
    def _line(head, *parts):
        return f"{head} {', '.join(part for part in parts if part)}"
