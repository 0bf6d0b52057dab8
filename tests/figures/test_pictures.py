"""Input, label, prediction: the picture read back."""

import numpy as np
import pytest
from PIL import Image

from lgcnet_tf.data import dataset_info
from lgcnet_tf.errors import InputError
from lgcnet_tf.figures import side_by_side

INFO = dataset_info("toy_streets")


def rows(count, size=(60, 240)):
    generator = np.random.default_rng(1)
    images = generator.integers(0, 256, (count, *size, 3)).astype(np.uint8)
    labels = generator.integers(0, 4, (count, *size)).astype(np.uint8)
    labels[:, :5] = 255
    predictions = generator.integers(4, 8, (count, *size)).astype(np.uint8)
    return images, labels, predictions


def shares(picture):
    colors, counts = np.unique(picture.reshape(-1, 3), axis=0, return_counts=True)
    return dict(zip(map(tuple, colors.tolist()), counts.tolist()))


def test_every_pixel_is_there_in_its_place_and_colour(tmp_path):
    images, labels, predictions = rows(2)
    path = side_by_side(
        images, labels, predictions, INFO, tmp_path / "out" / "rows.png"
    )
    picture = np.asarray(Image.open(path).convert("RGB"))
    # Three panels of twice 240 pixels and four gaps; two rows of twice 60.
    assert picture.shape[1] == 3 * 480 + 4 * 12
    assert picture.shape[0] > 34 + 2 * (120 + 12)
    for row in range(2):
        top = 34 + row * 132
        panels = [picture[top : top + 120, x : x + 480] for x in (12, 504, 996)]
        masks = (INFO.colorize(labels[row]), INFO.colorize(predictions[row]))
        for panel, expected in zip(panels, (images[row], *masks)):
            np.testing.assert_array_equal(panel[::2, ::2], expected)
            np.testing.assert_array_equal(panel[1::2, 1::2], expected)


def test_legend_shows_every_class_and_void_only_where_there_is_any(tmp_path):
    images, labels, predictions = rows(1)
    path = side_by_side(images, labels, predictions, INFO, tmp_path / "rows.png")
    legend = shares(np.asarray(Image.open(path).convert("RGB"))[34 + 132 :])
    for color in [*INFO.palette.tolist(), [0, 0, 0]]:
        assert legend.get(tuple(color), 0) > 50
    labels[:] = 1
    path = side_by_side(images, labels, predictions, INFO, tmp_path / "full.png")
    legend = shares(np.asarray(Image.open(path).convert("RGB"))[34 + 132 :])
    assert legend.get((0, 0, 0), 0) < 50


def test_large_pictures_shrink_to_the_panel(tmp_path):
    images, labels, predictions = rows(1, (512, 1024))
    path = side_by_side(images, labels, predictions, INFO, tmp_path / "large.png")
    assert Image.open(path).size[0] == 3 * 512 + 4 * 12


def test_bad_input_writes_nothing(tmp_path):
    images, labels, predictions = rows(2)
    for arguments, message in [
        (([], [], []), "one at least"),
        ((images, labels[:1], predictions), "as many"),
        ((images, labels[:, :9], predictions), "one size"),
    ]:
        with pytest.raises(InputError, match=message):
            side_by_side(*arguments, INFO, tmp_path / "bad.png")
    assert not any(tmp_path.iterdir())
