"""The three fits against what they mean, and against Pillow."""

import numpy as np
import pytest
from PIL import Image

from lgcnet_tf.data.augment import MEAN_COLOR
from lgcnet_tf.data.fit import mask_of, pieces_of
from lgcnet_tf.data.geometry import FITS, OVERLAP, plan
from lgcnet_tf.errors import InputError

INPUT = (24, 40)
SIZES = [(24, 40), (48, 80), (12, 20), (24, 20), (7, 40), (100, 31), (1, 1), (1, 90),
         (61, 97), (25, 41)]  # fmt: skip


def picture(size, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("size", SIZES)
def test_each_pixel_gets_the_answer_for_itself(fit, size):
    """A mask that says where each pixel of the input lies comes back in place."""
    rows, columns = plan(fit, size, INPUT)
    pieces = pieces_of(picture(size), fit, INPUT)
    assert pieces.shape == (rows.count * columns.count, *INPUT, 3)
    for number, axis in enumerate((rows, columns)):
        shape = (rows.count, columns.count, *INPUT)
        starts = axis.starts(np.arange(axis.count))
        place = starts[:, None] + np.arange(axis.piece)
        across = (slice(None), None, slice(None), None)
        along = (None, slice(None), None, slice(None))
        canvas = np.broadcast_to(place[along if number else across], shape)
        found = mask_of(canvas.reshape(-1, *INPUT), fit, size, INPUT)
        assert found.shape == size
        centers = (np.arange(axis.side) + 0.5) * axis.length / axis.side
        wanted = axis.offset + np.floor(centers + 1e-9).astype(int)
        np.testing.assert_array_equal(found, np.broadcast_to(
            wanted[None] if number else wanted[:, None], size))  # fmt: skip
        assert axis.offset <= found.min()
        assert found.max() < axis.offset + axis.length <= axis.canvas


@pytest.mark.parametrize("fit", FITS)
def test_a_picture_of_the_networks_size_goes_in_and_out_untouched(fit):
    image = picture(INPUT)
    np.testing.assert_array_equal(pieces_of(image, fit, INPUT), image[None])
    mask = image[None, ..., 0]
    np.testing.assert_array_equal(mask_of(mask, fit, INPUT, INPUT), mask[0])


@pytest.mark.parametrize("size", SIZES)
def test_stretch_is_what_pillow_does(size):
    image = picture(size)
    wanted = Image.fromarray(image).resize(INPUT[::-1], Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(pieces_of(image, "stretch", INPUT)[0], wanted)
    mask = picture(INPUT)[..., 0]
    wanted = Image.fromarray(mask).resize(size[::-1], Image.Resampling.NEAREST)
    differs = mask_of(mask[None], "stretch", size, INPUT) != np.asarray(wanted)
    # Where a centre falls on an edge of two pixels exactly, Pillow, which adds
    # up the steps as floats, may take the one before.
    for own, side, axis in zip(size, INPUT, (1, 0)):
        on_edge = (2 * np.arange(own) + 1) * side % (2 * own) == 0
        differs &= ~np.expand_dims(on_edge, axis)
    assert not differs.any()


@pytest.mark.parametrize("size", SIZES)
def test_letterbox_keeps_proportions_and_touches_two_edges(size):
    rows, columns = plan("letterbox", size, INPUT)
    scale = min(INPUT[0] / size[0], INPUT[1] / size[1])
    for axis, side in zip((rows, columns), size):
        assert abs(axis.length - max(1, side * scale)) <= 0.5
        assert abs(axis.offset - (axis.piece - axis.length) / 2) <= 0.5
    assert rows.length == INPUT[0] or columns.length == INPUT[1]
    (piece,) = pieces_of(np.zeros((*size, 3), np.uint8), "letterbox", INPUT)
    inside = np.zeros(INPUT, bool)
    inside[rows.offset :, columns.offset :][: rows.length, : columns.length] = True
    assert not piece[inside].any()
    assert (piece[~inside] == MEAN_COLOR).all()


@pytest.mark.parametrize("size", SIZES)
def test_tiles_cover_the_picture_overlap_and_stay_inside(size):
    for axis in plan("tile", size, INPUT):
        starts = axis.starts(np.arange(axis.count))
        assert starts[0] == 0 and starts[-1] + axis.piece == axis.canvas
        assert (np.diff(starts) > 0).all()
        assert (np.diff(starts) <= axis.piece - axis.piece // OVERLAP).all()
        assert axis.count == 1 or axis.canvas == axis.side > axis.piece


def test_a_tiles_edge_decides_nothing_that_another_tile_has_in_its_middle():
    """Brute force: of all pieces that hold the pixel, the nearest centre wins."""
    _, axis = plan("tile", (24, 131), INPUT)
    starts = axis.starts(np.arange(axis.count))
    number, position = axis.back(np.arange(131), np.arange(axis.count))
    for pixel in range(131):
        away = [abs(pixel + 0.5 - (start + 20)) for start in starts]
        assert away[number[pixel]] == min(away)
        assert starts[number[pixel]] + position[pixel] == pixel


def test_another_fit_is_refused():
    with pytest.raises(InputError, match="one of stretch, letterbox, tile.*'crop'"):
        plan("crop", (1, 1), INPUT)
