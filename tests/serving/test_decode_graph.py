"""The served decoding gives the pixels that training and evaluation see."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from lgcnet_tf.data import images as files
from lgcnet_tf.data.orientation import orientation
from lgcnet_tf.errors import InputError
from lgcnet_tf.serving import decode_graph


@pytest.fixture(scope="module")
def decode():
    spec = tf.TensorSpec((), tf.string)
    return tf.function(decode_graph.decode_image, input_signature=[spec])


@pytest.fixture(scope="module")
def turn():
    spec = tf.TensorSpec((), tf.string)
    return tf.function(decode_graph.orientation, input_signature=[spec])


def test_every_mode_gives_the_same_pixels(decode, picture_files):
    for height, width in ((9, 13), (1, 1), (31, 48)):
        for picture in picture_files.pictures(height, width, seed=height):
            expected = files.decode_image(picture.data, picture.name)
            served = decode(picture.data).numpy()
            np.testing.assert_array_equal(served, expected, picture.name)


def test_sixteen_bits_are_rounded_for_every_value(decode, picture_files):
    values = np.arange(65536).reshape(256, 256)
    data = picture_files.png_file(values, 16, picture_files.GRAY)
    expected = np.round(values / 257.0)
    np.testing.assert_array_equal(decode(data)[..., 2], expected)


def test_an_index_without_a_colour_is_black(decode, picture_files):
    chunks = [(b"PLTE", bytes([10, 20, 30, 40, 50, 60]))]
    data = picture_files.png_file([[0, 1, 2, 200]], 8, picture_files.PALETTE, chunks)
    np.testing.assert_array_equal(decode(data), files.decode_image(data, "x"))


@pytest.mark.parametrize("way", range(1, 9))
def test_every_orientation_turns_alike(decode, turn, picture_files, way):
    for picture in picture_files.pictures(5, 8)[::7]:
        for order in "<>":
            block = picture_files.exif(way, order, long=order == "<", others=way % 3)
            data = picture_files.with_exif(picture.data, block, late=order == "<")
            assert turn(data) == way
            expected = picture_files.TURNS[way](files.decode_image(picture.data, ""))
            np.testing.assert_array_equal(decode(data), expected, picture.name)


@pytest.mark.parametrize("seed", range(4))
def test_damaged_exif_is_read_alike(turn, picture_files, seed):
    draw = np.random.default_rng(seed).integers
    read = set()
    for picture in picture_files.pictures(4, 6)[:: 1 + seed]:
        block = picture_files.exif(int(draw(1, 9)), "<>"[seed % 2], bool(draw(2)), 2)
        data = bytearray(picture_files.with_exif(picture.data, block, bool(draw(2))))
        place = bytes(data).index(block)
        for _ in range(draw(0, 4)):
            low = max(0, place - 12)
            at = int(draw(low, place + len(block)))
            data[at] = int(draw(0, 256)) if draw(2) else int(draw(0, 10))
        data = bytes(
            data[: len(data) if draw(4) else place + int(draw(len(block) + 1))]
        )
        assert turn(data) == orientation(data), (picture.name, data)
        read.add(orientation(data))
    assert len(read) > 1


def test_short_and_strange_segments_are_read_alike(turn, picture_files):
    block = b"Exif\0\0" + picture_files.exif(6)
    app1 = b"\xff\xe1" + (len(block) + 2).to_bytes(2, "big") + block
    start = b"\xff\xd8"
    found = [1, 1, 1, 6, 6, 1, 1, 6, 1, 1]
    for expected, data in zip(found, (
        b"", start + b"\xff", b"\x89PNG\r\n\x1a\n",
        start + app1,
        start + b"\xff\xff\xff" + app1,  # fill bytes
        start + b"\xff\xda\0\2" + app1,  # behind the start of the scan
        start + b"\xff\xe0\0\1" + app1,  # no length of a segment
        start + b"\xff\xe1\0\2" + app1,  # another's APP1, empty
        start + b"\0" + app1,
        start + app1[:20],
    )):  # fmt: skip
        assert orientation(data) == turn(data) == expected, data


def test_what_is_no_whole_picture_is_refused(decode, picture_files):
    image = Image.new("RGB", (16, 16), (1, 2, 3))
    for kind in ("GIF", "WEBP", "BMP", "TIFF"):
        file = io.BytesIO()
        image.save(file, kind)
        with pytest.raises(tf.errors.InvalidArgumentError, match="not a PNG or JPEG"):
            decode(file.getvalue())
    for picture in picture_files.pictures(16, 16)[::5]:
        for kept in (0, 4, 20, 24, 40, len(picture.data) // 2):
            with pytest.raises(tf.errors.InvalidArgumentError):
                decode(picture.data[:kept])
            with pytest.raises(InputError):
                files.decode_image(picture.data[:kept], "x")


def test_operations_are_all_of_tensorflow_itself(decode):
    graph = decode.get_concrete_function().graph.as_graph_def()
    nodes = [*graph.node, *(n for f in graph.library.function for n in f.node_def)]
    names = {node.op for node in nodes}
    assert {"DecodeJpeg", "DecodePng"} <= names
    assert not names & {"PyFunc", "EagerPyFunc", "PyFuncStateless"}
