"""What a training says: lines for a log, a bar for a terminal."""

import io
import logging

import pytest

from lgcnet_tf.training import progress as progress_module
from lgcnet_tf.training.progress import Progress, duration_text, figures_text


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    """Seconds that go by only when told so."""

    class Clock:
        now = 100.0

        def monotonic(self):
            return self.now

    clock = Clock()
    monkeypatch.setattr(progress_module, "time", clock)
    monkeypatch.setenv("TERM", "xterm")
    return clock


@pytest.fixture
def lines():
    """A logger and what it has logged."""
    found = []
    logger = logging.Logger("test")
    handler = logging.Handler()
    handler.emit = lambda record: found.append(record.getMessage())
    logger.addHandler(handler)
    return logger, found


def run(progress, clock, epochs, steps, seconds, first=0):
    for epoch in range(first, epochs):
        for step in range(1, steps + 1):
            clock.now += seconds
            progress.step(epoch, step, {"loss": 2.0})
        progress.epoch(epoch, {"loss": 1.919, "miou": 0.3123, "seconds": 5.0})


def test_a_line_for_each_epoch_with_the_time_left_of_the_run(clock, lines):
    logger, found = lines
    run(Progress(logger, 3, 10, io.StringIO()), clock, 3, 10, 60.0)
    assert found == [
        "a step takes 60 s: about 24 min left",
        "epoch 1/3: loss 1.919, mIoU 31.2 %, about 20 min left",
        "epoch 2/3: loss 1.919, mIoU 31.2 %, about 10 min left",
        "epoch 3/3: loss 1.919, mIoU 31.2 %",
    ]


def test_neither_the_first_step_nor_earlier_epochs_count(clock, lines):
    logger, found = lines
    progress = Progress(logger, 10, 4)
    clock.now += 1000.0  # tracing
    run(progress, clock, 9, 4, 2.0, first=8)
    assert found == ["epoch 9/10: loss 1.919, mIoU 31.2 %, about 8 s left"]


def test_steps_that_are_quick_are_estimated_after_some_seconds(clock, lines):
    logger, found = lines
    run(Progress(logger, 1, 100), clock, 1, 100, 0.5)
    assert found[0] == "a step takes 0.5 s: about 45 s left"
    assert len(found) == 2


def test_no_bar_where_there_is_no_terminal(clock, lines):
    stream = io.StringIO()
    run(Progress(lines[0], 2, 10, stream), clock, 2, 10, 1.0)
    assert stream.getvalue() == ""


def test_the_bar_is_one_line_and_not_drawn_at_every_step(clock, lines, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    terminal = Terminal()
    run(Progress(lines[0], 2, 100, terminal), clock, 1, 100, 0.0625)
    bars = terminal.getvalue().split("\r\x1b[K")[1:]
    assert 20 <= len(bars) <= 30
    assert all("\n" not in bar for bar in bars)
    assert (
        bars[10] == "epoch 1/2 [====      ] 41/100 loss 2, 16 steps/s, about 10 s left"
    )


def test_the_bar_fits_the_terminal(clock, lines, monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    terminal = Terminal()
    Progress(lines[0], 2, 100, terminal).step(0, 50, {"loss": 2.0})
    assert terminal.getvalue() == "\r\x1b[K" + "epoch 1/2 [=====   "


@pytest.mark.parametrize(
    "seconds, text",
    [
        (0.2, "1 s"), (89, "89 s"), (90.5, "2 min"), (41 * 60, "41 min"),
        (2 * 3600 + 299, "2 h 05 min"), (30 * 3600, "30 h 00 min"), (3 * 86400, "3 days"),
    ],
)  # fmt: skip
def test_durations(seconds, text):
    assert duration_text(seconds) == text


def test_figures():
    shown = {
        "derived_latency_ms": 38.04, "loss": 1.92, "expected_latency_ms": 41.321,
        "learning_rate": 0.1, "val_miou": 0.5,
    }  # fmt: skip
    text = "loss 1.92, val mIoU 50.0 %, expected 41.32 ms, derived 38.04 ms"
    assert figures_text(shown) == text
