"""The images whose predictions are watched, and their picture read back."""

import io

import numpy as np
import pytest
from PIL import Image

from lgcnet_tf.data import Sample, Samples, dataset_info
from lgcnet_tf.training.fixed_images import FixedImages

INFO = dataset_info("toy_streets")


def make_samples(count, size=(30, 60)):
    def read(index):
        image = np.full((*size, 3), index, np.uint8)
        label = np.full(size, index % INFO.num_classes, np.uint8)
        image[:, : size[1] // 2] += 100
        return Sample(f"sample_{index}", image, label)

    return Samples(INFO, "val", count, read)


def test_they_come_from_all_over_the_split():
    fixed = FixedImages(make_samples(90), (30, 60))
    assert fixed.images[:, 0, -1, 0].tolist() == [15, 45, 75]
    assert fixed.labels[:, 0, 0].tolist() == [15 % 8, 45 % 8, 75 % 8]
    assert len(FixedImages(make_samples(2), (30, 60)).images) == 2


@pytest.mark.parametrize("size", [(30, 60), (32, 32), (40, 200), (16, 24)])
def test_the_middle_of_an_image_that_covers_the_size(size):
    fixed = FixedImages(make_samples(3), size)
    assert fixed.images.shape == (3, *size, 3) and fixed.labels.shape == (3, *size)
    assert not (fixed.labels == INFO.void_label).any()
    brighter = (fixed.images[0, :, :, 0] >= 50).mean()
    assert brighter == pytest.approx(0.5, abs=0.03)


def test_the_picture_shows_each_image_with_label_and_prediction():
    fixed = FixedImages(make_samples(3, (60, 240)), (60, 240))

    def predict(images):
        assert images.dtype == np.uint8 and images.shape[1:] == (60, 240, 3)
        return 5 + (images[..., 0] > 50)

    picture = np.asarray(Image.open(io.BytesIO(fixed.draw(predict))).convert("RGB"))
    colors = {tuple(color) for color in picture.reshape(-1, 3).tolist()}
    shown = set(map(tuple, fixed.images.reshape(-1, 3).tolist()))
    classes = set(fixed.labels.ravel().tolist()) | {5, 6}
    assert shown | {tuple(INFO.palette[c].tolist()) for c in classes} <= colors
