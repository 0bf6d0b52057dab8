"""Decoding of pictures with graph operations, which every server of a SavedModel runs.

It gives the pixels of `lgcnet_tf.data.images.decode_image`, by the rules that
`data/pixels.py` lists and with the EXIF orientation read as in
`data/orientation.py`; tests hold the two together.
"""

import numpy as np
import tensorflow as tf

from lgcnet_tf.data.orientation import (
    COLUMNS_REVERSED,
    EXIF_HEADER,
    JPEG_SIGNATURE,
    LONG,
    ORIENTATION_TAG,
    PNG_SIGNATURE,
    ROWS_REVERSED,
    SHORT,
    TRANSPOSED,
)
from lgcnet_tf.serving.picture_headers import MAX_SEGMENTS

_BIT_DEPTH_PLACE = 24  # in a PNG's first chunk


def decode_image(encoded: tf.Tensor) -> tf.Tensor:
    """Decodes one PNG or JPEG file to uint8 RGB (height, width, 3), upright.

    Args:
        encoded: scalar string, the file's bytes.

    Raises:
        tf.errors.InvalidArgumentError: the bytes are no whole PNG or JPEG.
    """
    is_jpeg = _starts_with(encoded, JPEG_SIGNATURE)
    is_png = _starts_with(encoded, PNG_SIGNATURE)
    # TensorFlow's operations would also take GIF and WebP, which are not read elsewhere.
    check = tf.debugging.Assert(
        is_jpeg | is_png, ["truncated or not a PNG or JPEG picture"]
    )
    with tf.control_dependencies([check]):
        # INTEGER_ACCURATE gives the pixels that Pillow, and with it training and
        # evaluation, reads from a JPEG; TensorFlow's default is off by up to 6.
        image = tf.cond(
            is_jpeg,
            lambda: tf.io.decode_jpeg(
                encoded,
                channels=3,
                dct_method="INTEGER_ACCURATE",
                fancy_upscaling=True,
            ),
            lambda: _decode_png(encoded),
        )
    image = tf.ensure_shape(image, (None, None, 3))
    return _upright(image, orientation(encoded))


def orientation(encoded: tf.Tensor) -> tf.Tensor:
    """The EXIF orientation that a file names, int64 scalar, 1 to 8.

    Args:
        encoded: scalar string, the file's bytes; see
            `lgcnet_tf.data.orientation.orientation`.
    """
    data = tf.io.decode_raw(encoded, tf.uint8)
    start, end = tf.case(
        [
            (_starts_with(encoded, JPEG_SIGNATURE), lambda: _jpeg_exif(data)),
            (_starts_with(encoded, PNG_SIGNATURE), lambda: _png_exif(data)),
        ],
        default=lambda: (_NONE, _NONE),
    )
    return _tiff_orientation(data[start:end])


def _starts_with(encoded: tf.Tensor, signature: bytes) -> tf.Tensor:
    return tf.equal(tf.strings.substr(encoded, 0, len(signature)), signature)


def _decode_png(encoded: tf.Tensor) -> tf.Tensor:
    header = tf.io.decode_raw(
        tf.strings.substr(encoded, 0, _BIT_DEPTH_PLACE + 1), tf.uint8
    )
    # A shorter file has no such byte; decoding refuses it.
    return tf.cond(
        tf.reduce_any(header[_BIT_DEPTH_PLACE:] == 16),
        lambda: _eight_bits(tf.io.decode_png(encoded, channels=3, dtype=tf.uint16)),
        lambda: tf.io.decode_png(encoded, channels=3),
    )


def _eight_bits(values: tf.Tensor) -> tf.Tensor:
    """round(v / 257); decoding to uint8 would take v // 256."""
    return tf.cast((tf.cast(values, tf.int32) + 128) // 257, tf.uint8)


def _upright(image: tf.Tensor, turn: tf.Tensor) -> tf.Tensor:
    def when(turns, change, image):
        is_one = tf.reduce_any(turn == np.array(turns, np.int64))
        return tf.cond(is_one, lambda: change(image), lambda: image)

    image = when(TRANSPOSED, lambda x: tf.transpose(x, (1, 0, 2)), image)
    image = when(COLUMNS_REVERSED, lambda x: x[:, ::-1], image)
    return when(ROWS_REVERSED, lambda x: x[::-1], image)


_NONE = np.int64(0)
# So that what is read near the end of a file is there; it changes no result.
_PADDING = np.zeros(16, np.uint8)


def _jpeg_exif(data: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Where the TIFF bytes of the first EXIF segment start and end, or 0 and 0."""
    size = tf.size(data, tf.int64)
    data = tf.concat([data, _PADDING], 0)
    header = np.frombuffer(EXIF_HEADER, np.uint8)

    def unfinished(place, start, end):
        is_marker = data[tf.minimum(place, size)] == 0xFF
        return (end == 0) & (place + 4 <= size) & is_marker

    def step(place, start, end):
        marker = data[place + 1]
        segment_end = place + 2 + _number(data, place + 2, 2)
        is_fill = marker == 0xFF
        is_last = ~is_fill & (
            (marker == 0xD9) | (marker == 0xDA) | (segment_end < place + 4)
        )
        first = place + 4 + len(header)
        last = tf.minimum(segment_end, size)
        found = (marker == 0xE1) & (first <= last)
        found &= tf.reduce_all(data[place + 4 : first] == header)
        place = tf.where(is_fill, place + 1, tf.where(is_last, size, segment_end))
        return place, tf.where(found, first, _NONE), tf.where(found, last, _NONE)

    start = (np.int64(2), _NONE, _NONE)
    return tf.while_loop(unfinished, step, start, maximum_iterations=MAX_SEGMENTS)[1:]


def _png_exif(data: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Where the TIFF bytes of the first `eXIf` chunk start and end, or 0 and 0."""
    size = tf.size(data, tf.int64)
    kind = np.frombuffer(b"eXIf", np.uint8)

    def unfinished(place, start, end):
        return (end == 0) & (place + 12 <= size)

    def step(place, start, end):
        last = place + 8 + _number(data, place, 4)
        found = tf.reduce_all(data[place + 4 : place + 8] == kind)
        start = tf.where(found, place + 8, _NONE)
        return last + 4, start, tf.where(found, tf.minimum(last, size), _NONE)

    start = (np.int64(len(PNG_SIGNATURE)), _NONE, _NONE)
    return tf.while_loop(unfinished, step, start, maximum_iterations=MAX_SEGMENTS)[1:]


def _tiff_orientation(tiff: tf.Tensor) -> tf.Tensor:
    size = tf.size(tiff, tf.int64)
    tiff = tf.concat([tiff, _PADDING], 0)
    little = tf.reduce_all(tiff[:2] == np.frombuffer(b"II", np.uint8))
    big = tf.reduce_all(tiff[:2] == np.frombuffer(b"MM", np.uint8))
    valid = (little | big) & (_number(tiff, 2, 2, little) == 42) & (size >= 8)
    directory = tf.minimum(_number(tiff, 4, 4, little), size)
    entries = tf.minimum(
        _number(tiff, directory, 2, little), (size - directory - 2) // 12
    )
    entries = tf.where(valid, tf.maximum(entries, 0), 0)
    table = tiff[directory + 2 : directory + 2 + 12 * entries]
    table = tf.reshape(table, (-1, 12))
    is_it = _numbers(table[:, :2], little) == ORIENTATION_TAG
    # The first such entry; one of zeros, of no type, where there is none.
    entry = tf.concat([tf.boolean_mask(table, is_it), np.zeros((1, 12), np.uint8)], 0)[
        :1
    ]
    kind = _numbers(entry[:, 2:4], little)[0]
    count = _numbers(entry[:, 4:8], little)[0]
    short = _numbers(entry[:, 8:10], little)[0]
    value = tf.where(kind == SHORT, short, _numbers(entry[:, 8:12], little)[0])
    valid = ((kind == SHORT) | (kind == LONG)) & (count == 1)
    valid &= (value >= 1) & (value <= 8)
    return tf.where(valid, value, np.int64(1))


def _number(
    data: tf.Tensor, place: tf.Tensor, size: int, little: tf.Tensor | bool = False
) -> tf.Tensor:
    """The int64 that the `size` bytes at `place` are, big-endian or little."""
    digits = tf.ensure_shape(data[place : place + size], (size,))
    return _numbers(digits[None], little)[0]


def _numbers(digits: tf.Tensor, little: tf.Tensor | bool) -> tf.Tensor:
    """The int64 (rows,) that each row of bytes (rows, size) is."""
    weights = 256 ** np.arange(digits.shape[1], dtype=np.int64)
    weights = tf.where(little, weights, weights[::-1])
    return tf.reduce_sum(tf.cast(digits, tf.int64) * weights, axis=1)
