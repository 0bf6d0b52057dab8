"""What a stranger may send: each answered, and the server goes on for others."""

import contextlib
import gc
import io
import pathlib
import re
import shutil
import subprocess
import sys
import threading
import time
import tracemalloc
import weakref

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from PIL import Image
from tensorflow.core.framework import types_pb2
from tensorflow_serving.apis import (
    get_model_status_pb2,
    predict_pb2,
    prediction_service_pb2_grpc,
)

import lgcnet_tf
from lgcnet_tf.errors import InputError
from lgcnet_tf.serving.client import Client
from lgcnet_tf.serving.protos import predict_request
from lgcnet_tf.serving.server import Server

_ROOT = pathlib.Path(lgcnet_tf.__file__).parents[1]
PREDICT = "/tensorflow.serving.PredictionService/Predict"
DEADLINE_S = 30
Code = grpc.StatusCode

# Half as much memory again as it has when it is ready.
_SERVE = """
import resource, sys
from lgcnet_tf.bin import common
with common.quiet_start(), common.without_needless_imports():
    import tensorflow
from lgcnet_tf.serving.server import Server
server = Server({"lgcnet": sys.argv[1]}, port=0).start()
pages = int(open("/proc/self/statm").read().split()[0])
most = pages * resource.getpagesize() + 600 * 2**20
resource.setrlimit(resource.RLIMIT_AS, (most, most))
print("port", server.port, flush=True)
server.serve_forever()
"""


@pytest.fixture(scope="module")
def confined(base_path):
    """The target of a server of its own process that may not grow by 600 MiB."""
    started = subprocess.Popen(
        [sys.executable, "-c", _SERVE, str(base_path)],
        cwd=_ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    port = re.fullmatch(r"port (\d+)\n", started.stdout.readline())[1]
    yield f"127.0.0.1:{port}"
    assert started.poll() is None
    started.kill()
    started.wait()
    started.stdout.close()


@pytest.fixture(scope="module")
def small(base_path):
    """A server with little room, of one thread."""
    with Server(
        {"lgcnet": base_path}, port=0, threads=1, max_queue=2, receive_timeout_s=2.5
    ) as running:
        yield running


@pytest.fixture
def stub(small):
    with grpc.insecure_channel(small.target) as channel:
        yield prediction_service_pb2_grpc.PredictionServiceStub(channel)


@pytest.fixture
def busy(small):
    """The server's one thread computes until the test ends; gives its pool."""
    gate = threading.Event()
    pool = small._core.pool
    job = small._core.submit(1, lambda job: gate.wait(60))
    wait_for(lambda: pool.running)
    yield pool
    gate.set()
    job.future.result(20)


def wait_for(condition):
    for _ in range(2000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("It did not come to that.")


def refusal(call):
    with pytest.raises(grpc.RpcError) as caught:
        call()
    return caught.value.code(), caught.value.details()


def claiming(signature, name, dtype, shape, **values):
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "lgcnet"
    request.model_spec.signature_name = signature
    tensor = request.inputs[name]
    tensor.dtype = dtype
    for side in shape:
        tensor.tensor_shape.dim.add(size=side)
    for field, value in values.items():
        getattr(tensor, field).extend(value)
    return request


def encoded(*files):
    return predict_request("encoded", {"encoded": list(files)}, "lgcnet")


def png(width, height, kind="PNG"):
    file = io.BytesIO()
    Image.new("L", (width, height)).save(file, kind)
    return file.getvalue()


UINT8, STRING = types_pb2.DT_UINT8, types_pb2.DT_STRING
GROWING = {
    "one empty string for 100 million": (
        claiming("encoded", "encoded", STRING, (10**8,), string_val=[b""]),
        Code.INVALID_ARGUMENT,
        "a batch of more than 16",
    ),
    "one pixel for 1000 pictures": (
        claiming("encoded", "encoded", STRING, (1000,), string_val=[png(1, 1)]),
        Code.INVALID_ARGUMENT,
        "a batch of more than 16",
    ),
    "one number for 5800 images": (
        claiming("", "images", UINT8, (5800, 24, 40, 3), int_val=[1]),
        Code.INVALID_ARGUMENT,
        "a batch of more than 16",
    ),
    "a small file of many pixels": (
        encoded(png(30_000, 30_000 // 8)),
        Code.INVALID_ARGUMENT,
        "with 30000x3750 pixels of 8 bits there are more than the 16800000",
    ),
    "one high and one wide": (
        encoded(png(1, 16_000), png(16_000, 1)),
        Code.INVALID_ARGUMENT,
        "Picture 2 of 2: with 16000x1 pixels",
    ),
}


@pytest.mark.parametrize("name", GROWING)
def test_what_claims_much_is_refused_before_it_grows(confined, name):
    request, code, text = GROWING[name]
    with grpc.insecure_channel(confined) as channel:
        method = prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict
        received, details = refusal(lambda: method(request, timeout=DEADLINE_S))
        assert (received, text in details) == (code, True), details
        assert method(encoded(png(4, 4)), timeout=DEADLINE_S).outputs


def test_a_message_that_unpacks_to_much_is_refused(confined):
    request = encoded(bytes(300 * 2**20))
    options = [("grpc.max_send_message_length", -1)]
    with grpc.insecure_channel(confined, options) as channel:
        method = prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict
        code, _ = refusal(
            lambda: method(
                request, timeout=DEADLINE_S, compression=grpc.Compression.Gzip
            )
        )
        assert code in (Code.UNIMPLEMENTED, Code.RESOURCE_EXHAUSTED)
        assert method(encoded(png(4, 4)), timeout=DEADLINE_S).outputs


def test_calls_that_never_send_are_cut_and_stop_nobody(small, stub):
    with contextlib.ExitStack() as stack:
        ends = []
        for _ in range(3):
            channel = stack.enter_context(grpc.insecure_channel(small.target))
            never = threading.Event()
            stack.callback(never.set)
            call = channel.stream_unary(PREDICT)
            ends += [call.future(_after(never)) for _ in range(4)]
        answer = stub.Predict(encoded(png(4, 4)), timeout=DEADLINE_S)
        assert answer.outputs
        codes = {end.exception(DEADLINE_S).code() for end in ends}
    assert codes <= {Code.DEADLINE_EXCEEDED, Code.RESOURCE_EXHAUSTED}


def _after(event):
    event.wait(60)
    yield from ()


def test_health_status_and_metadata_do_not_wait_behind_predictions(small, busy):
    with Client(small.target, "lgcnet", timeout_s=DEADLINE_S) as client:
        assert client.metadata()["version"] == client.wait_until_ready(20) == 1
    with grpc.insecure_channel(small.target) as channel:
        check = health_pb2_grpc.HealthStub(channel).Check
        answer = check(health_pb2.HealthCheckRequest(), timeout=DEADLINE_S)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
    assert busy.running == 1


def test_the_queue_has_an_end(stub, busy):
    waiting = [stub.Predict.future(encoded(png(4, 4)), timeout=60) for _ in range(2)]
    wait_for(lambda: busy.waiting == 2)
    code, details = refusal(lambda: stub.Predict(encoded(png(4, 4)), timeout=60))
    assert code == Code.RESOURCE_EXHAUSTED and "2 requests wait" in details
    for call in waiting:
        call.cancel()
    wait_for(lambda: not busy.waiting)


def test_what_nobody_waits_for_leaves_the_queue(stub, busy):
    code, _ = refusal(lambda: stub.Predict(encoded(png(4, 4)), timeout=0.3))
    assert code == Code.DEADLINE_EXCEEDED
    wait_for(lambda: not busy.waiting)


def test_work_that_nobody_waits_for_stops_between_batches(small, images):
    servable = small._core.models["lgcnet"].servable()
    request = predict_request(
        "serving_default", {"images": np.concatenate([images] * 4)}
    )
    asked = []
    with pytest.raises(Exception, match="Nobody waits"):
        servable.predict(request, lambda: asked.append(0) or len(asked) == 2)
    assert len(asked) == 2


def test_bodies_that_are_no_protobuf_fill_no_log(small, caplog):
    rng = np.random.default_rng(0)
    with grpc.insecure_channel(small.target) as channel:
        call = channel.unary_unary(PREDICT)
        for size in (1, 50, 5000):
            body = b"\xff" + rng.bytes(size)
            code, details = refusal(lambda: call(body, timeout=DEADLINE_S))
            assert code == Code.INVALID_ARGUMENT
            assert details == "The body is no PredictRequest."
    assert not caplog.records


def test_refused_requests_are_forgotten_at_once(small, stub, monkeypatch):
    """Without waiting for the collector: a few hundred large ones fill a machine."""
    jobs, submit = [], small._core.submit

    def recorded(*arguments):
        job = submit(*arguments)
        jobs.append(weakref.ref(job))
        return job

    monkeypatch.setattr(small._core, "submit", recorded)
    gc.disable()
    try:
        for request in (encoded(b"no picture"), predict_request("x", {}, "lgcnet")):
            refusal(lambda request=request: stub.Predict(request, timeout=DEADLINE_S))
        assert len(jobs) == 2
        wait_for(lambda: not any(job() for job in jobs))
    finally:
        gc.enable()


def test_integers_out_of_range_wrap_and_log_nothing(stub, caplog, live_mask):
    request = claiming("", "images", UINT8, (1, 24, 40, 3), int_val=[-1, 300, 7])
    expected = np.full(24 * 40 * 3, 7, np.uint8)
    expected[:2] = 255, 44
    answer = stub.Predict(request, timeout=DEADLINE_S).outputs["mask"]
    expected = live_mask(expected.reshape(1, 24, 40, 3))
    assert list(answer.int_val) == expected.ravel().tolist()
    assert not caplog.records


@pytest.mark.parametrize("kind", ["WEBP", "BMP", "GIF", "TIFF"])
def test_only_png_and_jpeg_reach_a_decoder(stub, kind):
    request = encoded(png(4, 4), png(4, 4, kind))
    code, details = refusal(lambda: stub.Predict(request, timeout=DEADLINE_S))
    assert code == Code.INVALID_ARGUMENT
    assert details.startswith("Picture 2 of 2: truncated or not a PNG or JPEG picture:")
    assert details.lower().endswith(f"a {kind.lower()} picture")


def test_a_picture_that_is_damaged_inside_is_named(stub, images, encode):
    whole = encode(images[0], "PNG")
    files = [whole] * 5 + [whole[:-60] + bytes(60)] + [whole]
    code, details = refusal(lambda: stub.Predict(encoded(*files), timeout=DEADLINE_S))
    assert code == Code.INVALID_ARGUMENT and details.startswith("Picture 6 of 7: ")


def test_more_images_than_a_batch_are_answered_alike(stub, images, live_mask, encode):
    many = np.concatenate([images] * 3)
    with_size = [encode(one, "PNG") for one in many]
    with_size[1] = encode(np.zeros((50, 60, 3), np.uint8), "PNG")  # in another batch
    with_size[5] = encode(np.zeros((70, 10, 3), np.uint8), "PNG")
    outputs = stub.Predict(encoded(*with_size), timeout=DEADLINE_S).outputs
    mask = np.array(outputs["mask"].int_val).reshape(6, 70, 60)
    sizes = np.array(outputs["size"].int_val).reshape(6, 2)
    assert sizes.tolist()[:2] == [[24, 40], [50, 60]] and sizes[5].tolist() == [70, 10]
    np.testing.assert_array_equal(mask[2, :24, :40], live_mask(many[2:3])[0])
    assert (mask[2, 24:] == 255).all() and (mask[5, :, 10:] == 255).all()
    answer = stub.Predict(
        predict_request("", {"images": many}, "lgcnet"), timeout=DEADLINE_S
    ).outputs["mask"]
    assert list(answer.int_val) == live_mask(many).ravel().tolist()


def test_a_broken_newest_version_is_passed_over(base_path, tmp_path, images):
    shutil.copytree(base_path / "1", tmp_path / "00000123")
    shutil.copytree(base_path / "1", tmp_path / "0124")
    data = next((tmp_path / "0124/variables").glob("*.data-*"))
    data.write_bytes(data.read_bytes()[: data.stat().st_size // 2])
    (tmp_path / "125").mkdir()
    (tmp_path / ("9" * 20)).mkdir()  # no int64
    with Server({"lgcnet": tmp_path}, port=0) as running:
        assert running.versions == {"lgcnet": 123}
        with Client(running.target, "lgcnet", version=123) as client:
            assert client.predict(images).shape == (2, 24, 40)
            request = get_model_status_pb2.GetModelStatusRequest()
            request.model_spec.name = "lgcnet"
            states = client._model.GetModelStatus(request).model_version_status
    found = {one.version: (one.state, one.status.error_message) for one in states}
    state = get_model_status_pb2.ModelVersionStatus.State
    assert found[123] == (state.Value("AVAILABLE"), "")
    assert found[124][0] == found[125][0] == state.Value("END")
    assert "cannot load" in found[124][1] and "no saved_model.pb" in found[125][1]


def test_a_message_limit_that_cannot_be_is_named(base_path):
    with pytest.raises(InputError, match="--max_message_mb must be at most 2047"):
        Server({"lgcnet": base_path}, max_message_mb=2048)


@pytest.mark.parametrize("signature", ["", "absent"])
def test_messages_leave_memory_without_a_collection(signature, server, network):
    """Answered or refused: what gRPC's and asyncio's cycles kept was all of a burst."""
    images = np.zeros((8, *network.input_shape[1:]), np.uint8)
    body = predict_request(signature, {"images": images}, "lgcnet").SerializeToString()
    # An unknown field makes it large.
    body += b"\xfa\x3f" + _varint(2**20) + bytes(2**20)
    options = [("grpc.max_send_message_length", -1)]
    with grpc.insecure_channel(server.target, options) as channel:
        call = channel.unary_unary(PREDICT)
        gc.collect()
        gc.disable()
        tracemalloc.start()
        try:
            for _ in range(16):
                with contextlib.suppress(grpc.RpcError):
                    call(body, timeout=DEADLINE_S)
            wait_for(lambda: tracemalloc.get_traced_memory()[0] < 4 * 2**20)
        finally:
            tracemalloc.stop()
            gc.enable()


def _varint(number):
    digits = []
    while number > 127:
        digits.append(number % 128 + 128)
        number //= 128
    return bytes([*digits, number])
