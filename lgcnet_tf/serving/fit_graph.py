"""The plans of `data.geometry` carried out by TensorFlow, for a served graph.

`data.fit` does the same on NumPy arrays. The masks are put together alike to the
pixel; resized pictures differ by at most 1 of 255, for TensorFlow rounds once
and Pillow after each axis.
"""

import tensorflow as tf

from lgcnet_tf.data import geometry
from lgcnet_tf.data.augment import MEAN_COLOR


def pieces_of(image: tf.Tensor, fit: str, input_size: tuple[int, int]) -> tf.Tensor:
    """Brings a picture to the network's size.

    Args:
        image: uint8 RGB (height, width, 3).
        fit: one of `geometry.FITS`.
        input_size: the network's (height, width).

    Returns:
        uint8 (pieces, *input_size, 3), row by row of the picture.
    """
    size = tf.shape(image, tf.int64)[:2]
    rows, columns = _plan(fit, size, input_size)
    if fit != "tile":
        # Antialiased, as Pillow shrinks pictures. One that has its size already
        # keeps its values, as the weights are then 1 and 0.
        length = tf.cast(tf.stack([rows.length, columns.length]), tf.int32)
        image = tf.image.resize(image, length, method="bilinear", antialias=True)
        image = tf.cast(tf.round(image), tf.uint8)
    if fit == "stretch":
        return image[None]
    below = rows.canvas - rows.offset - rows.length
    right = columns.canvas - columns.offset - columns.length
    margins = [[rows.offset, below], [columns.offset, right], [0, 0]]
    # What `tf.pad` fills with has one value for all channels.
    canvas = tf.pad(tf.cast(image, tf.int16) - MEAN_COLOR, margins) + MEAN_COLOR
    canvas = tf.cast(canvas, tf.uint8)
    if fit == "letterbox":
        return tf.ensure_shape(canvas, (*input_size, 3))[None]
    tops = rows.starts(tf.range(rows.count))
    lefts = columns.starts(tf.range(columns.count))
    down = tf.gather(canvas, tops[:, None] + tf.range(rows.piece, dtype=tf.int64))
    across = lefts[:, None] + tf.range(columns.piece, dtype=tf.int64)
    pieces = tf.gather(down, across, axis=2)  # (down, piece, across, piece, 3)
    pieces = tf.transpose(pieces, (0, 2, 1, 3, 4))
    return tf.reshape(pieces, (-1, *input_size, 3))


def result_of(
    results: tf.Tensor,
    fit: str,
    size: tf.Tensor,
    input_size: tuple[int, int],
) -> tf.Tensor:
    """Puts the results of a picture's pieces together, at the picture's own size.

    Args:
        results: (pieces, *input_size) or (pieces, *input_size, classes).
        fit, input_size: as for `pieces_of`.
        size: int64 (2,), the picture's height and width.

    Returns:
        (height, width) or (height, width, classes).
    """
    rows, columns = _plan(fit, size, input_size)
    row_piece, row = rows.back(tf.range(rows.side), tf.range(rows.count))
    column_piece, column = columns.back(tf.range(columns.side), tf.range(columns.count))
    # The pieces side by side, then its rows and columns: an index of each pixel
    # would take eight times the mask's bytes.
    rest = results.shape[3:]
    piece = (rows.piece, columns.piece)
    pieces = tf.reshape(results, (rows.count, columns.count, *piece, *rest))
    order = (0, 2, 1, 3, *range(4, 4 + len(rest)))
    shape = (rows.count * rows.piece, columns.count * columns.piece, *rest)
    whole = tf.reshape(tf.transpose(pieces, order), shape)
    whole = tf.gather(whole, row_piece * rows.piece + row)
    return tf.gather(whole, column_piece * columns.piece + column, axis=1)


def _plan(fit, size, input_size):
    """In int64 tensors throughout."""
    plans = geometry.plan(fit, tuple(tf.unstack(size, 2)), input_size, tf)
    return [
        geometry.Axis(
            *(
                tf.cast(value, tf.int64)
                for value in (axis.side, axis.length, axis.offset, axis.canvas)
            ),
            axis.piece,
            tf.cast(axis.count, tf.int64),
            tf,
        )
        for axis in plans
    ]
