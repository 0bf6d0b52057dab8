"""What a training says while it runs: an estimate, a line per epoch, a bar."""

import logging
import sys
import time
from collections.abc import Mapping
from typing import Any, TextIO

from lgcnet_tf.terminal import (
    OverdrawnLine,
    bar_text,
    duration_text,
    in_notebook,
    rate_text,
)

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


def figures_text(figures: Mapping[str, Any]) -> str:
    """The figures worth a line, for example `loss 1.92, mIoU 31.2 %`."""
    return ", ".join(
        f"{name} {factor * float(figures[key]):{form}}{unit}"
        for key, (name, factor, form, unit) in FIGURES.items()
        if key in figures
    )


class Progress:
    """Tells how far a training is and how long it still takes.

    Args:
        log: gets a line for each epoch.
        epochs: of the whole run.
        steps: of an epoch.
        terminal: shows the bar of an epoch, if it is a terminal or this a notebook;
            None for no bar.
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
        notebook = in_notebook() and terminal is sys.stderr
        self._bar = terminal and OverdrawnLine(None if notebook else terminal)
        self._first: tuple[int, float] | None = None
        self._estimated = False

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
        if not self._bar or not self._bar.due(now):
            return
        done = epoch * self.steps + step
        rate = self._rate(done)
        line = self._line(
            f"epoch {epoch + 1}/{self.epochs} {bar_text(step, self.steps)}",
            figures_text(figures),
            rate_text(rate, "step") if rate else "",
            self._left(done),
        )
        self._bar.draw(line, now)

    def epoch(self, epoch: int, figures: Mapping[str, Any]) -> None:
        """Call it at the end of each epoch, from 0, with its figures."""
        self._estimated = True
        if self._bar:
            self._bar.clear()
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

    def _rate(self, done):
        """Steps a second; None where none can be told yet."""
        if self._first is None or done <= self._first[0]:
            return None
        before, since = self._first
        seconds = time.monotonic() - since
        return (done - before) / seconds if seconds else None

    def _left(self, done):
        rate, steps_left = self._rate(done), self.epochs * self.steps - done
        if not rate or not steps_left:
            return ""
        return f"about {duration_text(steps_left / rate)} left"

    @staticmethod
    def _line(head, *parts):
        return f"{head} {', '.join(part for part in parts if part)}"
