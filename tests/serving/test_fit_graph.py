"""Evaluation and the served graph: the same pixels in, the same masks out."""

import numpy as np
import pytest
import tensorflow as tf

from lgcnet_tf.data import fit as fit_numpy
from lgcnet_tf.data.geometry import FITS
from lgcnet_tf.serving import fit_graph

INPUT = (24, 40)


@pytest.fixture(scope="module", params=FITS)
def both(request):
    """The fit, and its two halves in one traced graph each."""
    fit = request.param
    into = tf.function(
        lambda image: fit_graph.pieces_of(image, fit, INPUT),
        input_signature=[tf.TensorSpec((None, None, 3), tf.uint8)],
    )
    out = tf.function(
        lambda masks, size: fit_graph.result_of(masks, fit, size, INPUT),
        input_signature=[
            tf.TensorSpec((None, *INPUT), tf.uint8),
            tf.TensorSpec((2,), tf.int64),
        ],
    )
    return fit, into, out


def test_evaluation_and_the_served_graph_agree(both):
    """Pictures of any size: pixels to within 1 of 255, masks exactly."""
    fit, into, out = both
    rng = np.random.default_rng(5)
    sizes = [INPUT, (1, 1), (1, 200), (300, 2), *rng.integers(1, 130, (60, 2))]
    for size in sizes:
        size = tuple(map(int, size))
        image = rng.integers(0, 256, (*size, 3), np.uint8)
        expected, found = fit_numpy.pieces_of(image, fit, INPUT), into(image).numpy()
        assert found.shape == expected.shape, size
        largest = np.abs(found.astype(int) - expected).max()
        # Nothing is resized, or TensorFlow rounds once and Pillow twice.
        assert largest <= (0 if fit == "tile" or size == INPUT else 1), size
        masks = rng.integers(0, 19, expected.shape[:3], np.uint8)
        np.testing.assert_array_equal(
            out(masks, np.array(size)), fit_numpy.mask_of(masks, fit, size, INPUT)
        )
