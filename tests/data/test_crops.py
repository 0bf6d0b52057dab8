"""Crops for classification, against Pillow's own resize and crop."""

import numpy as np
import pytest
from PIL import Image

from lgcnet_tf.data import crops


@pytest.mark.parametrize("size", [(60, 80), (200, 30), (30, 200), (7, 5)])
def test_random_boxes_lie_inside_with_area_and_ratio_as_asked(size):
    height, width = size
    boxes = [
        crops.random_box(np.random.default_rng(seed), size, (0.3, 0.9))
        for seed in range(200)
    ]
    left, top, right, bottom = np.array(boxes, float).T
    assert (left >= 0).all() and (top >= 0).all()
    assert (right <= width).all() and (bottom <= height).all()
    w, h = right - left, bottom - top
    assert (w >= 1).all() and (h >= 1).all()
    if size == (60, 80):
        share = w * h / (height * width)
        assert 0.27 < share.min() < 0.4 and 0.8 < share.max() < 0.93
        assert (w / h > 0.7).all() and (w / h < 1.4).all()


def test_what_fits_no_ratio_is_the_largest_centre():
    box = crops.random_box(np.random.default_rng(0), (200, 30), (1.0, 1.0))
    assert box == (0, 80, 30, 120)  # 3 to 4


def test_central_crop_is_resize_then_crop():
    """A picture of 64x96: shorter side to 32, central 28x28."""
    picture = np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)
    resized = Image.fromarray(picture).resize((48, 32), Image.Resampling.BILINEAR)
    expected = np.asarray(resized)[2:30, 10:38]
    found = crops.cut(picture, crops.central_box((64, 96), (28, 28)), (28, 28))
    # At its border a box has no neighbours to filter with.
    inner = slice(1, -1), slice(1, -1)
    difference = np.abs(found[inner].astype(int) - expected[inner])
    assert difference.max() <= 1


def test_flip_mirrors():
    picture = np.random.default_rng(1).integers(0, 256, (20, 20, 3), np.uint8)
    box = (0, 0, 20, 20)
    np.testing.assert_array_equal(
        crops.cut(picture, box, (20, 20), flip=True), picture[:, ::-1]
    )
