"""Arrays of JSON's lists, made piece by piece."""

import numpy as np
import pytest
import tensorflow as tf

from lgcnet_tf.serving import rest_json
from lgcnet_tf.serving.status import RequestError


@pytest.mark.parametrize(
    "shape", [(100_000, 1), (3, 40_000), (2, 3, 20_000), (40, 7, 90, 3)]
)
def test_numbers_in_pieces_are_the_same_array(shape):
    wanted = np.random.default_rng(0).integers(0, 256, shape)
    found = rest_json._array(wanted.tolist())
    assert found.dtype == wanted.dtype
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("depth", [40, 300, 900])
def test_lists_too_deep_are_refused(depth):
    nested = list(range(20_000))
    for _ in range(depth):
        nested = [nested]
    with pytest.raises(RequestError, match="lists of one length"):
        rest_json._tensor("images", nested, tf.uint8)
