"""The graphs behind a served network's signatures, and their names."""

from collections.abc import Callable

import tensorflow as tf

from lgcnet_tf.serving import decode_graph

IMAGES_SIGNATURE = "serving_default"
ENCODED_SIGNATURE = "encoded"
IMAGES_INPUT = "images"
ENCODED_INPUT = "encoded"
MASK_OUTPUT = "mask"
SCORES_OUTPUT = "scores"


def decode_image(encoded: tf.Tensor, size: tuple[int, int]) -> tf.Tensor:
    """Decodes one PNG or JPEG file, upright, and brings it to the network's size.

    Args:
        encoded: scalar string, the file's bytes.
        size: (height, width) in pixels. A picture of another size is resized
            bilinearly and rounded, one of this size keeps its exact values.

    Returns:
        uint8 RGB of shape (height, width, 3).

    Raises:
        tf.errors.InvalidArgumentError: the bytes are no whole PNG or JPEG.
    """
    image = decode_graph.decode_image(encoded)
    # Antialiased, as Pillow shrinks the images of training and evaluation.
    image = tf.image.resize(image, size, method="bilinear", antialias=True)
    return tf.cast(tf.round(image), tf.uint8)


def decode_images(encoded: tf.Tensor, size: tuple[int, int]) -> tf.Tensor:
    """Decodes (batch,) strings to uint8 (batch, height, width, 3)."""
    return tf.map_fn(
        lambda one: decode_image(one, size),
        encoded,
        fn_output_signature=tf.TensorSpec((*size, 3), tf.uint8),
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
