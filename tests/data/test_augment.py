"""Flip, scale and crop against plain definitions."""

import dataclasses

import numpy as np
import pytest
from PIL import Image

from lgcnet_tf.data import augment
from lgcnet_tf.data.toy_streets.streets import ToyStreets


@pytest.fixture(scope="module")
def street():
    reader = ToyStreets(counts={"train": 1})
    return reader.read(reader.splits["train"][0])


def apply(street, crop, **kwargs):
    drawn = augment.Augmentation(**kwargs)
    return augment.apply_augmentation(drawn, street.image, street.label, crop)


def test_identity(street):
    image, label = apply(street, (96, 160), flip=False, size=(96, 160), offset=(0, 0))
    np.testing.assert_array_equal(image, street.image)
    np.testing.assert_array_equal(label, street.label)


def test_flip_mirrors_image_and_label(street):
    image, label = apply(street, (96, 160), flip=True, size=(96, 160), offset=(0, 0))
    np.testing.assert_array_equal(image, street.image[:, ::-1])
    np.testing.assert_array_equal(label, street.label[:, ::-1])


def test_crop_without_scale(street):
    image, label = apply(street, (32, 48), flip=False, size=(96, 160), offset=(7, 21))
    np.testing.assert_array_equal(image, street.image[7:39, 21:69])
    np.testing.assert_array_equal(label, street.label[7:39, 21:69])


@pytest.mark.parametrize("size", [(173, 288), (61, 101)])
def test_resizing_the_crop_equals_cropping_the_resized(street, size):
    image, label = apply(street, (40, 56), flip=False, size=size, offset=(9, 17))
    whole = Image.fromarray(street.image).resize(size[::-1], Image.Resampling.BILINEAR)
    expected = np.asarray(whole)[9:49, 17:73]
    # At its border a crop does not see the pixels beyond.
    inner = np.s_[2:-2, 2:-2]
    difference = image[inner].astype(int) - expected[inner]
    assert np.abs(difference).max() <= 1
    whole = Image.fromarray(street.label).resize(size[::-1], Image.Resampling.NEAREST)
    agree = label == np.asarray(whole)[9:49, 17:73]
    assert agree.mean() > 0.999


def test_padding_is_mean_colour_and_void(street):
    image, label = apply(street, (60, 90), flip=False, size=(48, 80), offset=(-5, -4))
    inside = np.zeros((60, 90), bool)
    inside[5:53, 4:84] = True
    assert (label[~inside] == 255).all()
    assert (image[~inside] == augment.MEAN_COLOR).all()
    half = Image.fromarray(street.image).resize((80, 48), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(image[5:53, 4:84], np.asarray(half))


def test_drawn_parameters_cover_their_ranges():
    scales, flips = [], []
    for index in range(400):
        drawn = augment.draw_augmentation(
            augment.sample_generator(1, 2, index), (100, 200), (60, 300)
        )
        scale = drawn.size[0] / 100
        assert abs(drawn.size[1] / 200 - scale) < 0.01
        top, left = drawn.offset
        assert min(0, drawn.size[0] - 60) <= top <= max(0, drawn.size[0] - 60)
        assert min(0, drawn.size[1] - 300) <= left <= max(0, drawn.size[1] - 300)
        scales.append(scale)
        flips.append(drawn.flip)
    assert 0.5 <= min(scales) < 0.52 and 1.98 < max(scales) <= 2.0
    assert 0.4 < np.mean(flips) < 0.6


def test_no_flip_leaves_the_other_parameters_alone():
    for index in range(20):
        with_flip, without = (
            augment.draw_augmentation(
                augment.sample_generator(0, 0, index), (9, 9), (5, 5), flip=flip
            )
            for flip in (True, False)
        )
        assert not without.flip
        assert (with_flip.size, with_flip.offset) == (without.size, without.offset)


def test_every_seed_epoch_and_index_has_numbers_of_its_own():
    keys = [(s, e, i) for s in range(3) for e in range(3) for i in range(3)]
    first = {augment.sample_generator(*key).random() for key in keys}
    assert len(first) == len(keys)


def test_order_is_a_permutation_by_seed_and_epoch():
    orders = [augment.epoch_order(50, s, e) for s in range(2) for e in range(2)]
    for order in orders:
        assert sorted(order) == list(range(50))
    assert len({tuple(order) for order in orders}) == 4
    np.testing.assert_array_equal(orders[3], augment.epoch_order(50, 1, 1))


def luma(image):
    return image @ np.array([299, 587, 114]) / 1000


def recolored(image, brightness, contrast, saturation):
    """By Pillow's documented rules in float64, without its rounding between them."""
    image = np.clip(image.astype("float64") * brightness, 0, 255)
    mean = luma(image).mean()
    image = np.clip(mean + (image - mean) * contrast, 0, 255)
    grey = luma(image)[..., None]
    return np.clip(grey + (image - grey) * saturation, 0, 255)


@pytest.mark.parametrize("colors", [(0.7, 1.3, 0.2), (1.2, 0.6, 1.4), (1, 1, 0.5)])
def test_colours_by_their_definition(street, colors):
    kept = {"flip": True, "size": (48, 80), "offset": (-5, -4)}
    image, label = apply(street, (60, 90), **kept, colors=colors)
    plain, plain_label = apply(street, (60, 90), **kept)
    np.testing.assert_array_equal(label, plain_label)
    inside = np.s_[5:53, 6:86]  # mirrored: 4 columns of padding stand at the right
    expected = recolored(plain[inside], *colors)
    assert np.abs(image[inside] - expected).max() <= 3  # three times rounded
    assert np.abs(image[inside].astype(int) - plain[inside]).max() > 10
    outside = np.ones(label.shape, bool)
    outside[inside] = False
    assert (image[outside] == augment.MEAN_COLOR).all()


def test_drawn_colours_cover_their_range_and_change_nothing_else():
    factors = []
    for index in range(200):
        draws = [
            augment.draw_augmentation(
                augment.sample_generator(1, 2, index), (60, 80), (9, 9), color_jitter=j
            )
            for j in (0.0, 0.4)
        ]
        assert draws[0].colors == (1.0, 1.0, 1.0)
        one, other = (dataclasses.replace(d, colors=(1.0,) * 3) for d in draws)
        assert one == other
        factors.append(draws[1].colors)
    factors = np.array(factors)
    assert factors.min() >= 0.6 and factors.max() <= 1.4
    assert (factors.min(0) < 0.65).all() and (factors.max(0) > 1.35).all()
    assert np.abs(np.corrcoef(factors.T)[np.triu_indices(3, 1)]).max() < 0.3
