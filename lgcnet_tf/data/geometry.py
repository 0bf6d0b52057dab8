"""How a picture of any size comes into a network of one size, and its mask back.

Three fits, in whole numbers, by the same functions for NumPy and for the graph
of a served model, so that the two cannot differ:

- `stretch`: the picture is resized to the input, whatever its proportions.
- `letterbox`: resized with its proportions kept, so that it just fits, and put
  in the middle of the input; the rest has one colour.
- `tile`: not resized. Overlapping pieces of the input's size cover it, and each
  pixel's class is that of the piece whose centre is nearest.

Each is a plan for every axis: the picture is resized to `length` pixels, put at
`offset` into a canvas, and the canvas is cut into pieces.
"""

import dataclasses
from typing import Any

import numpy as np

from lgcnet_tf.errors import InputError

FITS = ("stretch", "letterbox", "tile")
DEFAULT_FIT = "letterbox"

OVERLAP = 4
"""Neighbouring pieces share at least 1/OVERLAP of their length."""


@dataclasses.dataclass(frozen=True)
class Axis:
    """The plan of one axis; numbers are ints, or scalar int64 tensors.

    Attributes:
        side: pixels of the picture.
        length: pixels that it is resized to.
        offset: where it begins in the canvas.
        canvas: pixels of the canvas, at least `piece`.
        piece: pixels of the network's input.
        count: pieces that cover the canvas.
        xp: `numpy` or `tensorflow`, whichever has the numbers.
    """

    side: Any
    length: Any
    offset: Any
    canvas: Any
    piece: int
    count: Any
    xp: Any

    def starts(self, numbers):
        """Where the pieces of these numbers, 0 to count - 1, begin in the canvas.

        They are spread evenly; the last one ends where the canvas does.
        """
        gaps = self.xp.maximum(self.count - 1, 1)
        return numbers * (self.canvas - self.piece) // gaps

    def back(self, pixels, numbers):
        """Finds in which piece each pixel of the picture lies, and where there.

        Args:
            pixels: int64 (side,), 0 to side - 1.
            numbers: int64 (count,), 0 to count - 1.

        Returns:
            The piece's number and the position in it, int64 (side,) both. Where
            the picture is resized, the position is the nearest one.
        """
        position = self.offset + (2 * pixels + 1) * self.length // (2 * self.side)
        # Doubled, as the centre of a piece may lie between two pixels.
        centers = 2 * self.starts(numbers) + self.piece
        away = self.xp.abs(2 * position[:, None] + 1 - centers[None, :])
        number = self.xp.argmin(away, axis=1)
        return number, position - self.starts(number)


def plan(
    fit: str, size: tuple, input_size: tuple[int, int], xp=np
) -> tuple[Axis, Axis]:
    """The plans of height and width.

    Args:
        fit: one of `FITS`.
        size: the picture's (height, width), ints or scalar int64 tensors.
        input_size: the network's (height, width).
        xp: the module that has the numbers, `numpy` or `tensorflow`.

    Raises:
        InputError: there is no such fit.
    """
    check_fit(fit)
    (height, width), (rows, columns) = size, input_size
    if fit == "stretch":
        return _whole(height, rows, rows, xp), _whole(width, columns, columns, xp)
    if fit == "letterbox":
        return (
            _whole(height, _fitting(height, width, rows, columns, xp), rows, xp),
            _whole(width, _fitting(width, height, columns, rows, xp), columns, xp),
        )
    return _pieces(height, rows, xp), _pieces(width, columns, xp)


def check_fit(fit: str) -> None:
    """Raises InputError when there is no such fit."""
    if fit not in FITS:
        raise InputError(f"A fit is one of {', '.join(FITS)}. Received: {fit!r}.")


def _whole(side, length, piece, xp):
    return Axis(side, length, (piece - length) // 2, piece, piece, 1, xp)


def _fitting(side, other, piece, other_piece, xp):
    """`side` at the largest scale at which both sides fit; halves round up."""
    scaled = (2 * side * other_piece + other) // (2 * other)
    return xp.minimum(xp.maximum(scaled, 1), piece)


def _pieces(side, piece, xp):
    canvas = xp.maximum(side, piece)
    step = max(1, piece - piece // OVERLAP)
    count = 1 + (canvas - piece + step - 1) // step
    return Axis(side, side, (canvas - side) // 2, canvas, piece, count, xp)
