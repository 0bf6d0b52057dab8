"""The graphs behind a served network's signatures, and their names."""

from collections.abc import Callable

import tensorflow as tf

from lgcnet_tf.data.info import VOID
from lgcnet_tf.serving import decode_graph, fit_graph

IMAGES_SIGNATURE = "serving_default"
ENCODED_SIGNATURE = "encoded"
IMAGES_INPUT = "images"
ENCODED_INPUT = "encoded"
MASK_OUTPUT = "mask"
SCORES_OUTPUT = "scores"
SIZE_OUTPUT = "size"


def decode_image(encoded: tf.Tensor) -> tf.Tensor:
    """Decodes one PNG or JPEG file, upright.

    Args:
        encoded: scalar string, the file's bytes.

    Returns:
        uint8 RGB of shape (height, width, 3).

    Raises:
        tf.errors.InvalidArgumentError: the bytes are no whole PNG or JPEG.
    """
    return tf.ensure_shape(decode_graph.decode_image(encoded), (None, None, 3))


def encoded_segmenter(
    segment: Callable[[tf.Tensor], dict[str, tf.Tensor]],
    input_size: tuple[int, int],
    fit: str,
    scores: bool,
) -> Callable[[tf.Tensor], dict[str, tf.Tensor]]:
    """Returns (batch,) strings -> what `segment` gives, at the pictures' own sizes.

    The outputs of `segment` have the height and width of the batch's largest
    picture; beyond a picture's own the mask is 255 and scores are 0. `size`,
    int32 (batch, 2), has each picture's height and width.

    Args:
        segment: of `segmenter`.
        input_size: the network's (height, width).
        fit: how pictures are brought to it, one of `geometry.FITS`.
        scores: as for `segmenter`.
    """
    pixels = (*input_size, 3)
    one_piece = fit != "tile"
    piece_spec = (
        tf.TensorSpec((1, *pixels), tf.uint8)
        if one_piece
        else tf.RaggedTensorSpec((None, *pixels), tf.uint8, ragged_rank=0)
    )

    def bring_in(encoded):
        image = decode_image(encoded)
        pieces = fit_graph.pieces_of(image, fit, input_size)
        return pieces, tf.shape(image, tf.int64)[:2]

    def segment_encoded(encoded):
        pieces, sizes = tf.map_fn(
            bring_in,
            encoded,
            fn_output_signature=(piece_spec, tf.TensorSpec((2,), tf.int64)),
        )
        if one_piece:
            splits = tf.range(tf.shape(encoded, tf.int64)[0] + 1)
            results = segment(tf.reshape(pieces, (-1, *pixels)))
        else:
            splits = pieces.row_splits
            results = _one_by_one(segment, pieces.flat_values, scores)
        outputs = {
            name: _own_sizes(result, splits, sizes, input_size, fit)
            for name, result in results.items()
        }
        return outputs | {SIZE_OUTPUT: tf.cast(sizes, tf.int32)}

    return segment_encoded


def _one_by_one(segment, pieces, scores):
    """A picture may have hundreds: the network never has more than one of them."""
    shape = pieces.shape[1:3]
    specs = {MASK_OUTPUT: tf.TensorSpec(shape, tf.uint8)}
    if scores:
        specs[SCORES_OUTPUT] = tf.TensorSpec((*shape, None), tf.float32)
    return tf.map_fn(
        lambda piece: {name: one[0] for name, one in segment(piece[None]).items()},
        pieces,
        fn_output_signature=specs,
        parallel_iterations=1,
    )


def _own_sizes(results, splits, sizes, input_size, fit):
    """Each picture's result from its pieces', filled up to the largest's size."""
    # Of no picture at all it is 0.
    largest = tf.reduce_max(tf.pad(sizes, [[0, 1], [0, 0]]), axis=0)
    beyond = tf.constant(VOID if results.dtype == tf.uint8 else 0, results.dtype)
    rest = results.shape[3:]

    def bring_back(inputs):
        first, last, size = inputs
        own = fit_graph.result_of(results[first:last], fit, size, input_size)
        below, right = tf.unstack(largest - size)
        margins = [[0, below], [0, right], *([[0, 0]] * len(rest))]
        return tf.pad(own, margins, constant_values=beyond)

    return tf.map_fn(
        bring_back,
        (splits[:-1], splits[1:], sizes),
        fn_output_signature=tf.TensorSpec((None, None, *rest), results.dtype),
    )


def segmenter(
    network: Callable, scores: bool
) -> Callable[[tf.Tensor], dict[str, tf.Tensor]]:
    """Returns images (batch, height, width, 3) -> the signature's outputs.

    The outputs are `mask`, uint8 (batch, height, width), the argmax of the
    logits, and with `scores` also float32 (batch, height, width, classes),
    their softmax.
    """

    def segment(images: tf.Tensor) -> dict[str, tf.Tensor]:
        logits = network(images, training=False)
        mask = tf.argmax(logits, axis=-1, output_type=tf.int32)
        outputs = {MASK_OUTPUT: tf.cast(mask, tf.uint8)}
        if scores:
            outputs[SCORES_OUTPUT] = tf.nn.softmax(tf.cast(logits, tf.float32))
        return outputs

    return segment
