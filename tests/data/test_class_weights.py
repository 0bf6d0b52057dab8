"""Weights of the classes, against their definitions in NumPy."""

import numpy as np
import pytest

from lgcnet_tf.data import Sample, Samples, dataset_info
from lgcnet_tf.data.class_weights import class_weights, count_classes
from lgcnet_tf.errors import InputError

CLASSES = 8


def split(labels):
    def read(index):
        label = np.asarray(labels[index], np.uint8)
        return Sample(str(index), np.zeros((*label.shape, 3), np.uint8), label)

    return Samples(dataset_info("toy_streets"), "train", len(labels), read)


@pytest.fixture
def samples():
    """One picture of all classes, one of the first two, both with void."""
    first = np.repeat(np.arange(CLASSES), [9, 8, 7, 6, 5, 4, 3, 2])[None]
    second = np.repeat([0, 1, 255], [30, 10, 60])[None]
    return split([first, second])


def test_counts(samples):
    pixels, where_present = count_classes(samples)
    assert pixels.tolist() == [39, 18, 7, 6, 5, 4, 3, 2]
    assert where_present.tolist() == [84, 84, 44, 44, 44, 44, 44, 44]


def test_enet(samples):
    share = np.array([39, 18, 7, 6, 5, 4, 3, 2]) / 84
    expected = 1 / np.log(1.02 + share)
    found = class_weights(samples, "enet", 1.02)
    np.testing.assert_allclose(found / found[0], expected / expected[0])
    assert found @ share == pytest.approx(1.0)


def test_median_frequency(samples):
    frequency = np.array([39, 18, 7, 6, 5, 4, 3, 2]) / ([84] * 2 + [44] * 6)
    found = class_weights(samples, "median_frequency")
    np.testing.assert_allclose(found / found[0], frequency[0] / frequency)


def test_none(samples):
    assert class_weights(samples, "none") is None


@pytest.mark.parametrize("kind", ["enet", "median_frequency"])
def test_class_that_the_split_lacks(kind):
    lacking = split([np.repeat(np.arange(CLASSES - 1), 4)[None]])
    with pytest.raises(InputError, match="split 'train' .* no pixel of pedestrian"):
        class_weights(lacking, kind)
