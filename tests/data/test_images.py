"""Pictures of every mode, orientation and format, decoded without TensorFlow."""

import io
import pathlib

import numpy as np
import pytest
from PIL import Image, ImageOps

from lgcnet_tf.data import images
from lgcnet_tf.data.orientation import orientation
from lgcnet_tf.data.pixels import LABEL_RULES, PICTURE_RULES
from lgcnet_tf.errors import InputError

CASES = pathlib.Path(__file__).parents[3] / "shared" / "cases"


def encoded(image, kind="PNG", **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


@pytest.mark.filterwarnings("error")
def test_every_mode_becomes_what_was_put_in(picture_files):
    for height, width in ((9, 13), (1, 1), (16, 24)):
        for picture in picture_files.pictures(height, width):
            decoded = images.decode_image(picture.data, picture.name)
            assert decoded.dtype == np.uint8, picture.name
            difference = np.abs(decoded.astype(int) - picture.pixels).max()
            assert difference <= picture.bound, picture.name


@pytest.mark.skipif(not CASES.is_dir(), reason="no ../shared/cases")
def test_the_cases_that_came_out_wrong():
    gray = images.decode_image((CASES / "gray16_two_by_two.png").read_bytes(), "gray")
    assert gray.tolist() == [[[0] * 3, [64] * 3], [[128] * 3, [255] * 3]]
    phone = images.decode_image((CASES / "phone.jpg").read_bytes(), "phone")
    street = images.decode_image((CASES / "upright.png").read_bytes(), "upright")
    assert phone.shape == street.shape
    # The same picture but for JPEG's losses; on its side it would be far off.
    assert np.abs(phone.astype(int) - street).mean() < 4
    with pytest.raises(
        InputError, match="^picture.webp: a WEBP picture; only PNG and JPEG"
    ):
        images.decode_image((CASES / "picture.webp").read_bytes(), "picture.webp")


def test_sixteen_bits_are_rounded_for_every_value(picture_files):
    values = np.arange(65536).reshape(256, 256)
    expected = np.round(values / 257.0)
    for kind, channels in ((picture_files.GRAY, 1), (picture_files.RGB, 3)):
        stacked = np.repeat(values[..., None], channels, axis=-1)
        decoded = images.decode_image(picture_files.png_file(stacked, 16, kind), "x")
        np.testing.assert_array_equal(decoded, np.repeat(expected[..., None], 3, -1))
    as_int32 = Image.fromarray(values.astype(np.int32))  # of earlier Pillows
    assert as_int32.mode == "I"
    np.testing.assert_array_equal(PICTURE_RULES["I"](as_int32, b"")[..., 0], expected)


def test_an_index_without_a_colour_is_black(picture_files):
    chunks = [(b"PLTE", bytes([10, 20, 30, 40, 50, 60]))]
    data = picture_files.png_file([[0, 1, 2, 200]], 8, picture_files.PALETTE, chunks)
    expected = [[[10, 20, 30], [40, 50, 60], [0, 0, 0], [0, 0, 0]]]
    assert images.decode_image(data, "x").tolist() == expected
    assert images.decode_label(data, "x").tolist() == [[0, 1, 2, 200]]


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("turn", range(1, 9))
def test_pictures_and_labels_are_turned_as_pillow_turns_them(
    picture_files, turn, late, order
):
    stored = np.random.default_rng(turn).integers(0, 12, (5, 8), np.uint8)
    block = picture_files.exif(turn, order, long=late)
    png = picture_files.with_exif(encoded(Image.fromarray(stored)), block, late)
    expected = picture_files.TURNS[turn](stored)
    assert orientation(png) == turn
    np.testing.assert_array_equal(images.decode_label(png, "x"), expected)
    np.testing.assert_array_equal(images.decode_image(png, "x")[..., 1], expected)
    colors = np.random.default_rng(turn).integers(0, 256, (16, 24, 3), np.uint8)
    jpeg = picture_files.with_exif(
        encoded(Image.fromarray(colors), "JPEG"), block, late
    )
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(jpeg)))
    np.testing.assert_array_equal(images.decode_image(jpeg, "x"), np.asarray(upright))


def test_a_damaged_or_unknown_orientation_is_upright(picture_files):
    plain = encoded(Image.new("RGB", (6, 4)), "JPEG")
    whole = picture_files.exif(6)
    assert orientation(plain) == 1 and orientation(b"") == 1
    assert orientation(picture_files.with_exif(plain, whole)) == 6
    for block in (
        b"",
        whole[:7],
        whole[:25],  # inside of the orientation's entry
        b"XX" + whole[2:],
        picture_files.exif(9),
        picture_files.exif(0),
        whole[:4] + b"\xff\xff\xff\xff" + whole[8:],
    ):
        data = picture_files.with_exif(plain, block)
        assert orientation(data) == 1
        assert images.decode_image(data, "x").shape == (4, 6, 3)


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_labels_are_the_integers_of_the_file(picture_files, depth):
    values = np.arange(12 * 24).reshape(12, 24) % 2**depth
    colors = [
        (
            b"PLTE",
            bytes(range(3 * min(2**depth, 80))) + bytes(3 * max(0, 2**depth - 80)),
        )
    ]
    for kind, chunks in ((picture_files.GRAY, ()), (picture_files.PALETTE, colors)):
        for interlaced in (False, True):
            data = picture_files.png_file(values, depth, kind, chunks, interlaced)
            label = images.decode_label(data, "x")
            assert label.dtype == np.uint8
            np.testing.assert_array_equal(label, values)


def test_sixteen_bit_labels_are_read_exactly_or_refused(picture_files):
    values = np.arange(256).reshape(16, 16)
    data = picture_files.png_file(values, 16, picture_files.GRAY)
    np.testing.assert_array_equal(images.decode_label(data, "x"), values)
    values[3, 5], values[4, 0] = 300, 65535
    data = picture_files.png_file(values, 16, picture_files.GRAY)
    with pytest.raises(
        InputError, match="x.png: .* Received: 300, 65535; 300 at x=5, y=3"
    ):
        images.decode_label(data, "x.png")


@pytest.mark.parametrize("mode", ["LA", "RGB", "RGBA"])
def test_labels_with_colours_or_alpha_are_refused(mode):
    with pytest.raises(InputError, match=f"x.png: .* Received: mode {mode}"):
        images.decode_label(encoded(Image.new(mode, (4, 4))), "x.png")


def test_lossy_labels_are_refused():
    with pytest.raises(
        InputError, match="x.png: a JPEG picture; a label map must be a PNG"
    ):
        images.decode_label(encoded(Image.new("L", (8, 8)), "JPEG"), "x.png")


@pytest.mark.parametrize("kind", ["BMP", "GIF", "TIFF", "WEBP"])
def test_other_formats_are_named(kind):
    data = encoded(Image.new("RGB", (8, 8)), kind)
    for decode in (images.decode_image, images.decode_label):
        with pytest.raises(
            InputError, match=f"^x.png: a {kind} picture; only PNG and JPEG"
        ):
            decode(data, "x.png")


def test_the_tables_name_all_modes_that_pillow_gives(picture_files):
    modes = {Image.open(io.BytesIO(p.data)).mode for p in picture_files.pictures(8, 8)}
    assert modes <= set(PICTURE_RULES)
    assert modes - set(LABEL_RULES) == {"LA", "RGB", "RGBA", "CMYK"}


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "x.png").symlink_to(tmp_path / "nowhere")
    for path in (tmp_path / "x.png", tmp_path):
        with pytest.raises(InputError, match=f"^{path}: cannot be read: "):
            images.read_bytes(path)
