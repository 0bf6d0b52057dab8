"""Limits, each by itself: headers, tensors, the pool, senders."""

import asyncio
import io
import struct
import threading

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tensorflow.core.framework import tensor_pb2, tensor_shape_pb2, types_pb2

from lgcnet_tf.errors import InputError
from lgcnet_tf.serving.answer_tensors import tensor_bytes
from lgcnet_tf.serving.limits import Limits
from lgcnet_tf.serving.picture_headers import read_header
from lgcnet_tf.serving.pool import Pool
from lgcnet_tf.serving.receiving import Receivers
from lgcnet_tf.serving.request_tensors import input_array
from lgcnet_tf.serving.status import Code, RequestError, one_line

IMAGES = tf.TensorSpec((None, 2, 2, 3), tf.uint8)


def picture(kind, size=(40, 24), **options):
    file = io.BytesIO()
    Image.new("RGB", size, (1, 2, 3)).save(file, kind, **options)
    return file.getvalue()


def tensor(dtype, shape, **values):
    dims = [tensor_shape_pb2.TensorShapeProto.Dim(size=n) for n in shape]
    return tensor_pb2.TensorProto(
        dtype=dtype, tensor_shape=tensor_shape_pb2.TensorShapeProto(dim=dims), **values
    )


@pytest.mark.parametrize("progressive", [False, True])
def test_headers_of_whole_pictures(progressive):
    for size in ((40, 24), (1, 1), (3000, 7)):
        jpeg = picture("JPEG", size, progressive=progressive, comment=b"x" * 300)
        for data in (picture("PNG", size), jpeg):
            header = read_header(data)
            assert (header.width, header.height, header.bits) == (*size, 8)
    assert read_header(b"\xff\xd8\xff\xff\xff" + jpeg[3:]) == header  # fill bytes


def test_sixteen_bits_weigh_four_times(picture_files):
    data = picture_files.png_file(np.zeros((5, 7), int), 16, picture_files.GRAY)
    assert read_header(data).cost == 4 * 5 * 7


@pytest.mark.parametrize(
    "data, text",
    [
        (b"", "not a PNG or JPEG picture"),
        (b"\x89PNG\r\n\x1a\n" + bytes(10), "truncated"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "a WebP picture"),
        (b"BM" + bytes(60), "a BMP picture"),
        (b"\xff\x0a" + bytes(60), "a JPEG XL picture"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "a JPEG XL picture"),
        (b"GIF89a", "a GIF picture"),
        (b"\xff\xd8\xff\xd9" + bytes(9), "truncated"),
        (b"\xff\xd8" + b"\xff\xe0\0\2" * 10_001, "more than 10000 segments"),
        (b"\xff\xd8" + b"\xff" * 20_000, "more than 10000 segments"),
        (picture("JPEG") + b"\xff\xda" * 101, "more than 100 scans"),
        (picture("PNG") + bytes(12) * 10_001, "more than 10000 chunks"),
        (picture("PNG").replace(struct.pack(">I", 40), bytes(4)), "0x24 pixels"),
    ],
)
def test_headers_that_no_decoder_sees(data, text):
    with pytest.raises(ValueError, match=text):
        read_header(data)


@pytest.mark.parametrize(
    "given, expected",
    [
        ([1, 2, 3], [1, 2, 3, *[3] * 21]),  # the last one again
        ([], [0] * 24),
        (list(range(30)), list(range(24))),  # surplus ignored
        ([-1, 256, 300], [255, 0, *[44] * 22]),  # wrapped
    ],
)
def test_values_are_filled_as_in_cpp(given, expected):
    proto = tensor(types_pb2.DT_UINT8, (2, 2, 2, 3), int_val=given)
    found = input_array("images", proto, IMAGES, Limits())
    assert found.ravel().tolist() == expected


@pytest.mark.parametrize(
    "proto, spec, text",
    [
        (
            tensor(types_pb2.DT_STRING, (10**8,), string_val=[b""]),
            tf.TensorSpec((None,), tf.string),
            "a batch of more than 16",
        ),
        (
            tensor(types_pb2.DT_UINT8, (5800, 2, 2, 3), int_val=[1]),
            IMAGES,
            "a batch of more than 16",
        ),
        (
            tensor(types_pb2.DT_UINT8, (1, 2**40, 2**40, 3), int_val=[1]),
            tf.TensorSpec((None, None, None, 3), tf.uint8),
            "larger than 33554432 bytes",
        ),
        (
            tensor(types_pb2.DT_STRING, (1,), tensor_content=b"\0"),
            tf.TensorSpec((None,), tf.string),
            "cannot be sent so",
        ),
    ],
)
def test_shapes_are_refused_before_they_grow(proto, spec, text):
    with pytest.raises(RequestError, match=text) as caught:
        input_array("x", proto, spec, Limits())
    assert caught.value.code is Code.INVALID_ARGUMENT


@pytest.mark.parametrize("as_content", [False, True])
@pytest.mark.parametrize("dtype", ["uint8", "int32", "int64", "float32", "float64"])
def test_answers_are_read_by_tensorflow(dtype, as_content):
    rng = np.random.default_rng(0)
    for shape in ((3, 4), (0, 5), (1,), (2, 700, 1000)):
        array = rng.integers(0, 256, shape).astype(dtype)
        proto = tensor_pb2.TensorProto.FromString(tensor_bytes(array, as_content))
        np.testing.assert_array_equal(tf.make_ndarray(proto), array)
        assert bool(proto.tensor_content) == (array.size > 0) or not as_content
    texts = np.array([[b"a", b""]], object)
    proto = tensor_pb2.TensorProto.FromString(tensor_bytes(texts, as_content))
    assert list(proto.string_val) == [b"a", b""]


def test_the_pool_refuses_more_than_it_holds_and_forgets_what_is_cancelled():
    pool, gate = Pool(1, max_queue=2, max_bytes=100), threading.Event()
    first = pool.submit(10, lambda job: gate.wait(20) and job.stopped())
    while not pool.running:
        pass
    waiting = [pool.submit(10, lambda job: "done") for _ in range(2)]
    with pytest.raises(RequestError, match="2 requests wait") as caught:
        pool.submit(10, lambda job: None)
    assert caught.value.code is Code.RESOURCE_EXHAUSTED
    waiting[0].cancel()
    assert pool.waiting == 1 and waiting[0].future.cancelled()
    with pytest.raises(RequestError, match="100 is the most"):
        pool.submit(81, lambda job: None)
    failing = pool.submit(80, lambda job: 1 // 0)
    first.cancel()
    gate.set()
    assert first.future.result(20) is True and waiting[1].future.result(20) == "done"
    with pytest.raises(ZeroDivisionError):
        failing.future.result(20)
    assert pool.submit(100, lambda job: 7).future.result(20) == 7  # the room is back
    assert pool.close(20)
    with pytest.raises(RequestError, match="shutting down"):
        pool.submit(1, lambda job: None)


def test_senders_that_send_nothing_are_cut_and_the_newest_is_let_in():
    async def all_of_it():
        receivers = Receivers(2, timeout_s=3, max_waiting=2)
        never = asyncio.Event()
        stalled = [
            asyncio.ensure_future(receivers.receive(never.wait)) for _ in range(4)
        ]
        await asyncio.sleep(0)

        async def read():
            return b"message"

        with pytest.raises(RequestError, match="Too many calls wait"):
            await receivers.receive(read)
        stalled.pop().cancel()
        await asyncio.sleep(0)
        assert await receivers.receive(read) == b"message"  # before its own timeout
        ends = await asyncio.gather(*stalled, return_exceptions=True)
        codes = {end.code for end in ends}
        assert codes == {Code.RESOURCE_EXHAUSTED, Code.DEADLINE_EXCEEDED}
        assert await receivers.receive(read) == b"message"
        assert not receivers._sending and not receivers._waiting
        assert receivers._woken == 0

    asyncio.run(all_of_it())


def test_impossible_limits_are_refused():
    for wrong in ({"max_message_mb": 2048}, {"max_images": 0}, {"max_megapixels": 0.0}):
        with pytest.raises(InputError, match=f"--{next(iter(wrong))} must be"):
            Limits(**wrong).check()


def test_errors_are_cut():
    assert len(one_line("é\n" * 10_000).encode()) <= 1024
    assert one_line("a\n b") == "a b"
