"""What the figures share: colours and short names of operations, saving."""

import io
import os
import pathlib
from collections.abc import Callable

from matplotlib.figure import Figure

from lgcnet_tf.files import atomic_write
from lgcnet_tf.space.operations import operation as named

DPI = 120
INK = "#222222"
FAINT = "#c4c4c4"
MUTED = "#767676"
ACCENT = "#1f5fa8"

FAMILIES = {
    "convolution": "#1f5fa8",
    "separable convolution": "#b8520a",
    "dilated separable convolution": "#7b3fa0",
    "pooling": "#1d7f4e",
    "skip connection": "#4d4d4d",
    "bilinear upsampling": "#0b7a85",
    "none": FAINT,
}
"""Colour of each family of operations; white text is legible on all but `none`."""

ADDED = ("#a3195b", "#6b6100", "#3f4fb5")
"""Colours of other families, in turn."""


def family(operation: str) -> str:
    """The family of an operation, a key of `FAMILIES` or that of an added one."""
    return named(operation).family


def color_of(family: str) -> str:
    """The colour of a family; an added one has always the same."""
    return FAMILIES.get(family) or ADDED[sum(family.encode()) % len(ADDED)]


def color(operation: str) -> str:
    """Colour of the operation's family."""
    return color_of(family(operation))


def short_name(operation: str) -> str:
    """A name that fits on an edge, for example `dil d4` or `conv 3×3`."""
    return named(operation).short_name


def new_figure(width: float, height: float) -> Figure:
    """A white figure, in inches, that knows no display and no global state."""
    return Figure(figsize=(width, height), dpi=DPI, facecolor="white")


def png_bytes(draw: Callable, *what) -> bytes:
    """The PNG file that `draw(*what, path)` would write, for any figure here."""
    buffer = io.BytesIO()
    draw(*what, buffer)
    return buffer.getvalue()


def save_figure(
    figure: Figure, path: str | os.PathLike | io.BytesIO
) -> pathlib.Path | io.BytesIO:
    """Writes the figure as PNG, whole or not at all; returns `path`."""
    if isinstance(path, io.BytesIO):
        figure.savefig(path, format="png", facecolor="white")
        return path
    path = pathlib.Path(path)
    with atomic_write(path) as temporary:
        figure.savefig(temporary, format="png", facecolor="white")
    return path


def plain_axes(axes) -> None:
    """Leaves out the frame's upper and right side and lightens the rest."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(MUTED)
    axes.tick_params(colors=INK, labelsize=8)
