"""Crops around rare classes, against labels made for it."""

import dataclasses

import numpy as np
import pytest

from lgcnet_tf.data import dataset_info
from lgcnet_tf.data.augment import Augmentation, apply_augmentation
from lgcnet_tf.data.rare_crops import RareCrops, centre_on_rare_class, rare_classes
from lgcnet_tf.data.samples import Sample, Samples
from lgcnet_tf.errors import InputError

CROP = (9, 13)


def label_with(places, size=(40, 60)):
    """Class 0 but for single pixels: {(row, column): class}."""
    label = np.zeros(size, np.uint8)
    for place, number in places.items():
        label[place] = number
    return label


def centre(label, rare, seed=0, size=None):
    drawn = Augmentation(False, size or label.shape, (0, 0))
    generator = np.random.default_rng(seed)
    return centre_on_rare_class(generator, drawn, label, CROP, rare)


def test_the_crop_shows_the_pixel_in_its_middle():
    label = label_with({(20, 30): 5})
    found = centre(label, RareCrops(1.0, (3, 5)))
    image = np.repeat(label[..., None], 3, 2)
    _, crop = apply_augmentation(found, image, label, CROP)
    assert np.argwhere(crop == 5).tolist() == [[4, 6]]
    mirrored = dataclasses.replace(found, flip=True)
    _, crop = apply_augmentation(mirrored, image, label, CROP)
    assert np.argwhere(crop == 5).tolist() == [[4, 6]]


@pytest.mark.parametrize("size", [(20, 30), (80, 120), (57, 91)])
def test_in_a_resized_image_it_is_near_the_middle(size):
    label = label_with({(20, 30): 5})
    top, left = centre(label, RareCrops(1.0, (5,)), size=size).offset
    at = np.array([20.5, 30.5]) * size / label.shape
    middle = np.array([top + CROP[0] / 2, left + CROP[1] / 2])
    assert np.abs(at - middle).max() <= 0.5


def test_at_the_border_no_padding_is_added():
    found = centre(label_with({(39, 0): 5}), RareCrops(1.0, (5,)))
    assert found.offset == (40 - CROP[0], 0)
    # An image lower than the crop is padded by one row, above or below.
    small = centre(label_with({(7, 4): 5}, (8, 60)), RareCrops(1.0, (5,)))
    assert small.offset == (0, 0)


def test_as_often_as_asked_and_each_class_alike():
    """Class 5 has one pixel, class 3 a hundred."""
    label = label_with({(20, 30): 5})
    label[:10, 10:20] = 3
    chosen = []
    for seed in range(400):
        found = centre(label, RareCrops(0.5, (3, 5)), seed)
        chosen.append({(0, 0): 0, (16, 24): 5}.get(found.offset, 3))
    shares = [chosen.count(number) / 400 for number in (0, 3, 5)]
    assert 0.4 < shares[0] < 0.6 and 0.18 < shares[1] < 0.32 and 0.18 < shares[2] < 0.32


def test_an_image_without_any_is_cropped_as_drawn():
    found = centre(label_with({(20, 30): 4}), RareCrops(1.0, (3, 5)))
    assert found.offset == (0, 0)


def test_rare_classes_of_a_split():
    """Of 8 classes those with fewer than 1/16 of the pixels that are not void."""
    counts = [300, 200, 120, 100, 100, 62, 12, 0]

    def read(index):
        label = np.repeat(np.arange(8), counts).astype(np.uint8)
        label = np.concatenate([label, np.full(106, 255, np.uint8)]).reshape(20, 50)
        return Sample("a", np.zeros((20, 50, 3), np.uint8), label)

    info = dataset_info("toy_streets")
    found = rare_classes(Samples(info, "train", 2, read))
    assert found == pytest.approx({6: 12 / 894})
    counts[:] = [112, 112, 112, 112, 112, 112, 112, 110]
    with pytest.raises(
        InputError, match="--rare_crops: no class of toy_streets, split"
    ):
        rare_classes(Samples(info, "train", 2, read))
