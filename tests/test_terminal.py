"""What a person sees: bars on a terminal, closing lines in files, tables in both."""

import io
import re
import sys

import pytest

from lgcnet_tf import terminal
from lgcnet_tf.terminal import (
    Bar,
    OverdrawnLine,
    plain_table,
    rate_text,
    show_table,
)

HEAD, ROWS = ("class", "IoU"), [("road", "98.1 %"), ("bus [1]", "7.0 %")]
COLOR = re.compile(r"\x1b\[[\d;]*3\d[\d;]*m")
"""A command of a terminal that sets the colour of what follows."""


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
    monkeypatch.setattr(terminal, "time", clock)
    return clock


def go(stream, clock, seconds=0.5, total=20):
    bar = Bar("evaluating", total, "image", stream)
    for done in range(1, total + 1):
        clock.now += seconds
        bar.update(done, f"mIoU {done} %")


def test_a_bar_has_speed_and_time_left(clock, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "200")
    stream = Terminal()
    go(stream, clock)
    bars = stream.getvalue().split("\r\x1b[K")[1:]
    assert len(bars) == 20
    assert bars[9] == (
        "evaluating [=====     ] 10/20 mIoU 10 %, 2 images/s, about 5 s left"
    )
    assert bars[-1] == (
        "evaluating [==========] 20/20 mIoU 20 %, 2 images/s, took 10 s\n"
    )
    assert not COLOR.search(stream.getvalue())


def test_a_bar_is_not_drawn_at_every_step(clock, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "200")
    stream = Terminal()
    go(stream, clock, seconds=0.01, total=100)
    assert 4 <= stream.getvalue().count("\r\x1b[K") <= 6


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_a_file_and_a_dumb_terminal_get_one_plain_line(clock, stream, monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    stream = stream()
    go(stream, clock)
    assert stream.getvalue() == (
        "evaluating: 20 images, mIoU 20 %, 2 images/s, took 10 s\n"
    )


def test_a_notebook_gets_no_commands_of_a_terminal(clock, monkeypatch):
    monkeypatch.setitem(sys.modules, "ipykernel", sys)
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    line = OverdrawnLine()
    line.draw("a long line", 1.0)
    line.draw("short", 2.0)
    line.clear()
    assert sys.stdout.getvalue() == "\ra long line\rshort      \r     \r"


@pytest.mark.parametrize(
    "rate, text", [(12.34, "12.3 images/s"), (0.25, "4 s per image")]
)
def test_rates(rate, text):
    assert rate_text(rate, "image") == text


def test_a_table_of_a_pipe_is_plain(capsys):
    show_table(HEAD, ROWS, "a title")
    assert capsys.readouterr().out == (
        "a title\nclass       IoU\n---------------\nroad     98.1 %\nbus [1]   7.0 %\n"
    )
    assert plain_table(("", ""), [("a", "1"), ("", ""), ("b", "22")]) == (
        "a   1\n-----\nb  22"
    )


@pytest.mark.parametrize("no_color", [False, True])
def test_a_table_of_a_terminal_has_colours_if_wanted(monkeypatch, no_color):
    stream = Terminal()
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    if no_color:
        monkeypatch.setenv("NO_COLOR", "1")
    show_table(HEAD, ROWS, "a title")
    shown = stream.getvalue()
    assert "bus [1]" in shown and "98.1 %" in shown and "a title" in shown
    assert bool(COLOR.search(shown)) != no_color
