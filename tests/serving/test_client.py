"""The client against a server in this process and one in its own."""

import asyncio
import concurrent.futures
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2

import lgcnet_tf
from lgcnet_tf.errors import InputError
from lgcnet_tf.serving.async_client import AsyncClient
from lgcnet_tf.serving.client import Client

_ROOT = pathlib.Path(lgcnet_tf.__file__).parents[1]
_SERVE = """
import sys
from lgcnet_tf.bin import common
with common.quiet_start(), common.without_needless_imports():
    import tensorflow
from lgcnet_tf.serving.server import Server
server = Server({"lgcnet": sys.argv[1]}, port=0).start()
print("port", server.port, flush=True)
server.serve_forever()
print("stopped", flush=True)
"""


@pytest.fixture
def process(base_path):
    started = subprocess.Popen(
        [sys.executable, "-c", _SERVE, str(base_path)],
        cwd=_ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    yield started
    started.kill()
    started.wait()


def connect(process):
    port = int(re.fullmatch(r"port (\d+)\n", process.stdout.readline())[1])
    return Client(f"127.0.0.1:{port}", "lgcnet", timeout_s=10)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.parametrize("image_format", ["PNG", "JPEG"])
def test_predictions_equal_the_live_network(
    client, images, live_mask, encode, image_format
):
    import io

    from PIL import Image

    np.testing.assert_array_equal(client.predict(images), live_mask(images))
    files = [encode(image, image_format) for image in images]
    read = np.stack([np.asarray(Image.open(io.BytesIO(one))) for one in files])
    np.testing.assert_array_equal(client.predict_encoded(files), live_mask(read))


def test_metadata(client):
    metadata = client.metadata()
    assert (metadata["name"], metadata["version"]) == ("lgcnet", 1)
    signature = metadata["signatures"]["serving_default"]
    assert signature["inputs"]["images"] == {
        "dtype": "uint8",
        "shape": [None, 24, 40, 3],
    }
    assert signature["outputs"]["scores"]["shape"] == [None, 24, 40, 5]


def test_the_servers_refusal_is_one_line(server, client, images):
    with pytest.raises(InputError) as caught:
        client.predict(images.astype(np.float32))
    text = str(caught.value)
    assert text.startswith(f"{server.target}: INVALID_ARGUMENT: 'images' must be")
    assert "\n" not in text
    with pytest.raises(InputError, match="INVALID_ARGUMENT"):
        client.predict_encoded([b"no image"])
    with Client(server.target, "other") as other:
        with pytest.raises(InputError, match="NOT_FOUND: No model 'other'"):
            other.predict(images)
        with pytest.raises(InputError, match="NOT_FOUND"):
            other.wait_until_ready(20)
    assert client.predict(images).shape == (2, 24, 40)


def test_refused_connection_is_one_line_and_no_hang(images):
    target = f"127.0.0.1:{free_port()}"
    with Client(target, "lgcnet", timeout_s=5) as client:
        with pytest.raises(InputError, match=f"^{target}: UNAVAILABLE: .*$") as error:
            client.predict(images)
        port = target.partition(":")[2]
        assert f"Is a server running at {target}? Start one with" in str(error.value)
        assert f"lgcnet-serve --model=FOLDER --port={port}" in str(error.value)
        with pytest.raises(InputError, match="not ready after 0.5 s"):
            client.wait_until_ready(0.5)


def test_silent_server_is_given_up_at_the_deadline(images):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        target = f"127.0.0.1:{silent.getsockname()[1]}"
        with Client(target, "lgcnet", timeout_s=0.5) as client:
            with pytest.raises(InputError, match="DEADLINE_EXCEEDED"):
                client.predict(images)


def test_killed_server_is_unavailable_in_one_line(process, images, live_mask):
    with connect(process) as client:
        assert client.wait_until_ready(20) == 1
        np.testing.assert_array_equal(client.predict(images), live_mask(images))
        process.kill()
        process.wait()
        with pytest.raises(InputError, match="UNAVAILABLE") as caught:
            client.predict(images)
        assert "\n" not in str(caught.value)


def test_an_unavailable_server_is_asked_again_within_the_deadline(images):
    """The first two calls are refused; the third one gets the answer."""
    seen = []

    def answer(request, context):
        seen.append(request)
        if len(seen) < 3:
            context.abort(grpc.StatusCode.UNAVAILABLE, "not yet")
        response = predict_pb2.PredictResponse()
        response.outputs["mask"].CopyFrom(tf.make_tensor_proto(np.uint8([[[4]]])))
        return response.SerializeToString()

    handlers = {"Predict": grpc.unary_unary_rpc_method_handler(answer)}
    service = "tensorflow.serving.PredictionService"
    stub = grpc.server(concurrent.futures.ThreadPoolExecutor(1))
    stub.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler(service, handlers)]
    )
    port = stub.add_insecure_port("127.0.0.1:0")
    stub.start()
    try:
        with Client(f"127.0.0.1:{port}", "lgcnet", timeout_s=30) as client:
            assert client.predict(images).tolist() == [[[4]]]
    finally:
        stub.stop(0).wait()
    assert len(seen) == 3


def test_the_asyncio_client_answers_alike(server, images, live_mask, encode):
    async def ask():
        async with AsyncClient(server.target, "lgcnet", timeout_s=20) as client:
            assert await client.wait_until_ready(20) == 1
            masks = await asyncio.gather(*[client.predict(images) for _ in range(3)])
            for mask in masks:
                np.testing.assert_array_equal(mask, live_mask(images))
            files = [encode(image, "PNG") for image in images]
            (first, _) = await client.predict_encoded(files)
            np.testing.assert_array_equal(first, live_mask(images)[0])
            assert (await client.classes()).info.class_names[0] == "road"
            with pytest.raises(InputError, match="INVALID_ARGUMENT: .* not a PNG"):
                await client.predict_encoded([b"no image"])
        async with AsyncClient(server.target, "other", timeout_s=20) as client:
            with pytest.raises(InputError, match="NOT_FOUND"):
                await client.wait_until_ready(20)

    asyncio.run(ask())


def test_sigterm_stops_the_server_gracefully(process, images):
    with connect(process) as client:
        client.predict(images)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        assert process.stdout.read() == "stopped\n"


@pytest.mark.skipif(
    shutil.which("tensorflow_model_server") is None,
    reason="tensorflow_model_server is not on the PATH",
)
def test_same_client_talks_to_tensorflow_model_server(
    base_path, images, live_mask, encode
):
    port = free_port()
    started = subprocess.Popen(
        [
            "tensorflow_model_server",
            f"--port={port}",
            "--model_name=lgcnet",
            f"--model_base_path={base_path}",
        ]
    )
    try:
        with Client(f"127.0.0.1:{port}", "lgcnet") as client:
            assert client.wait_until_ready(60) == 1
            np.testing.assert_array_equal(client.predict(images), live_mask(images))
            files = [encode(image, "PNG") for image in images]
            np.testing.assert_array_equal(
                client.predict_encoded(files), live_mask(images)
            )
            assert "encoded" in client.metadata()["signatures"]
            with pytest.raises(InputError, match="INVALID_ARGUMENT"):
                client.predict_encoded([b"no image"])
    finally:
        started.terminate()
        started.wait()
