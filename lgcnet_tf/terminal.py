"""What commands show to a person: a bar that is drawn over, tables; else plain lines.

A terminal gets tables with rules and colours (`rich`, which heeds `NO_COLOR` and
`TERM=dumb`) and one bar; a file, a pipe or a log gets the same as plain lines. A bar has
no colours, so that there is nothing of it for `NO_COLOR` to turn off.
"""

import math
import os
import shutil
import sys
import time
from collections.abc import Sequence
from typing import TextIO

_BAR = 10
_SECONDS, _NOTEBOOK_SECONDS = 0.2, 1.0
"""From one drawing of the bar to the next; a notebook's file keeps them all."""


def duration_text(seconds: float) -> str:
    """A duration as a person would say it: `50 s`, `41 min`, `2 h 05 min`, `3 days`."""
    if seconds < 90:
        return f"{math.ceil(seconds)} s"
    minutes = math.ceil(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60:02} min"
    return f"{round(minutes / 1440)} days"


def rate_text(rate: float, unit: str) -> str:
    """How fast things go by: `12.5 images/s`, or `4.2 s per image` where it is slower.

    Args:
        rate: units a second, above 0.
        unit: what is counted, singular.
    """
    if rate < 1:
        return f"{1 / rate:.3g} s per {unit}"
    return f"{rate:.3g} {unit}s/s" if rate < 1000 else f"{rate:,.0f} {unit}s/s"


def bar_text(done: int, total: int) -> str:
    """The bar alone: `[====      ] 41/100`."""
    filled = round(_BAR * done / max(total, 1))
    return f"[{'=' * filled}{' ' * (_BAR - filled)}] {done}/{total}"


def in_notebook() -> bool:
    """Whether this process is a notebook's kernel."""
    return "ipykernel" in sys.modules


class OverdrawnLine:
    """A line of a terminal or notebook that the next one takes the place of.

    Args:
        stream: by default standard error, in a notebook standard output, as what is on
            the former is red there.

    Attributes:
        shown: False where lines cannot be drawn over; then nothing is written.
    """

    def __init__(self, stream: TextIO | None = None):
        notebook = in_notebook() and stream is None
        self._stream = stream or (sys.stdout if notebook else sys.stderr)
        self._erase = not notebook
        self._seconds = _NOTEBOOK_SECONDS if notebook else _SECONDS
        self._drawn = -math.inf
        self._length = 0
        overdraws = os.environ.get("TERM") != "dumb"
        self.shown = notebook or (self._stream.isatty() and overdraws)

    def due(self, now: float) -> bool:
        """Whether it is shown and its last drawing is long enough ago."""
        return self.shown and now - self._drawn >= self._seconds

    def draw(self, line: str, now: float) -> None:
        """Draws the line, cut where the terminal ends."""
        self._drawn = now
        if self._erase:
            line = line[: shutil.get_terminal_size().columns - 1]
            self._stream.write(f"\r\x1b[K{line}")
        else:  # notebooks show a few of the terminal's commands alone
            self._stream.write(f"\r{line}{' ' * max(0, self._length - len(line))}")
            self._length = len(line)
        self._stream.flush()

    def clear(self) -> None:
        """Takes the line away, for another to be written in its place."""
        if self.shown:
            self.draw("", -math.inf)
            self._stream.write("\r")
            self._stream.flush()

    def end(self) -> None:
        """Leaves the line as it is and goes on below it."""
        if self.shown:
            self._stream.write("\n")
            self._stream.flush()
        self._drawn, self._length = -math.inf, 0


class Bar:
    """How far something is: a bar with speed and time left; in files a closing line.

    Args:
        title: what is done.
        total: how much there is of it.
        unit: what is counted, singular.
        stream: as of `OverdrawnLine`; files get their line there too.
    """

    def __init__(self, title: str, total: int, unit: str, stream: TextIO | None = None):
        self.title, self.total, self.unit = title, total, unit
        self._stream = stream or sys.stderr
        self._line = OverdrawnLine(stream)
        self._begin = time.monotonic()
        self._first: tuple[int, float] | None = None

    def update(self, done: int, note: str = "") -> None:
        """Call it after each unit, and a last time with `total`.

        Args:
            done: units so far.
            note: stands behind the bar.
        """
        now = time.monotonic()
        last = done >= self.total
        speed, left = self._speed(done, now)
        if last or self._line.due(now):
            parts = [note, speed, "" if last else left]
            if last:
                parts.append(f"took {duration_text(now - self._begin)}")
            words = ", ".join(filter(None, parts))
            if self._line.shown:
                bar = bar_text(done, self.total)
                self._line.draw(f"{self.title} {bar} {words}".rstrip(), now)
            elif last:
                line = f"{self.title}: {done} {self.unit}s, {words}"
                print(line, file=self._stream, flush=True)
        if last:
            self._line.end()

    def _speed(self, done, now):
        """Units a second since the first, which may have had to be built, and the rest."""
        if self._first is None:
            self._first = done, now
        before, since = self._first
        if done <= before or now <= since:
            return "", ""
        rate = (done - before) / (now - since)
        left = duration_text((self.total - done) / rate)
        return rate_text(rate, self.unit), f"about {left} left"


def show_table(
    head: Sequence[str], rows: Sequence[Sequence[str]], title: str = ""
) -> None:
    """Prints a table on standard output: with rules and colours on a terminal.

    The first column stands to the left, the others to the right; a row of empty cells
    is a rule.
    """
    if not sys.stdout.isatty():
        print("\n".join([title] * bool(title) + [plain_table(head, rows)]), flush=True)
        return
    import rich.box
    import rich.console
    import rich.table
    import rich.text

    console = rich.console.Console(highlight=False)
    if title:  # above it, as one of a table is broken to its width
        console.print(rich.text.Text(title, style="bold"))
    table = rich.table.Table(
        box=rich.box.SIMPLE_HEAD,
        show_header=any(head),
        header_style="bold cyan",
    )
    for place, name in enumerate(head):
        table.add_column(name, justify="right" if place else "left", overflow="fold")
    for row in rows:
        if any(row):
            table.add_row(*map(rich.text.Text, row))
        else:
            table.add_section()
    console.print(table)


def plain_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table as text, without a newline at its end; a row of empty cells is a rule."""
    shown = [head, *rows] if any(head) else list(rows)
    widths = [max(map(len, column)) for column in zip(*shown)]
    lines = [
        "  ".join(
            [cells[0].ljust(widths[0])]
            + [cell.rjust(width) for cell, width in zip(cells[1:], widths[1:])]
        )
        if any(cells)
        else "-" * (sum(widths) + 2 * (len(widths) - 1))
        for cells in shown
    ]
    return "\n".join(
        [lines[0], "-" * len(lines[0]), *lines[1:]] if any(head) else lines
    )
