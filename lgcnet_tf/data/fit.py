"""The plans of `geometry` carried out on NumPy arrays, resized by Pillow."""

import numpy as np
from PIL import Image

from lgcnet_tf.data import geometry
from lgcnet_tf.data.augment import MEAN_COLOR


def pieces_of(image: np.ndarray, fit: str, input_size: tuple[int, int]) -> np.ndarray:
    """Brings a picture to the network's size.

    Args:
        image: uint8 RGB (height, width, 3).
        fit: one of `geometry.FITS`.
        input_size: the network's (height, width).

    Returns:
        uint8 (pieces, *input_size, 3), row by row of the picture; one piece
        unless the fit is `tile`.
    """
    rows, columns = geometry.plan(fit, image.shape[:2], input_size)
    if image.shape[:2] != (rows.length, columns.length):
        size = (int(columns.length), int(rows.length))
        resized = Image.fromarray(image).resize(size, Image.Resampling.BILINEAR)
        image = np.asarray(resized)
    canvas = np.empty((rows.canvas, columns.canvas, 3), np.uint8)
    canvas[:] = MEAN_COLOR
    canvas[_span(rows.offset, rows.length), _span(columns.offset, columns.length)] = (
        image
    )
    return np.stack(
        [
            canvas[_span(top, rows.piece), _span(left, columns.piece)]
            for top in rows.starts(np.arange(rows.count))
            for left in columns.starts(np.arange(columns.count))
        ]
    )


def mask_of(
    masks: np.ndarray, fit: str, size: tuple[int, int], input_size: tuple[int, int]
) -> np.ndarray:
    """Puts the masks of a picture's pieces together, at the picture's own size.

    Args:
        masks: (pieces, *input_size) of `pieces_of`.
        fit, input_size: as for `pieces_of`.
        size: the picture's (height, width).

    Returns:
        (height, width), of the masks' own type.
    """
    rows, columns = geometry.plan(fit, size, input_size)
    row_piece, row = rows.back(np.arange(rows.side), np.arange(rows.count))
    column_piece, column = columns.back(
        np.arange(columns.side), np.arange(columns.count)
    )
    piece = row_piece[:, None] * columns.count + column_piece[None, :]
    return masks[piece, row[:, None], column[None, :]]


def _span(start, length):
    return slice(start, start + length)
