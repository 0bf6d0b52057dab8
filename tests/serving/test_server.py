"""The server over a real socket, with TensorFlow Serving's own stubs."""

import shutil
import socket

import grpc
import keras
import numpy as np
import pytest
import tensorflow as tf
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tensorflow.core.framework import tensor_pb2, types_pb2
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    prediction_service_pb2_grpc,
)

from lgcnet_tf.errors import InputError
from lgcnet_tf.serving.client import Client
from lgcnet_tf.serving.export import export_saved_model
from lgcnet_tf.serving.protos import predict_request
from lgcnet_tf.serving.server import Server

DEADLINE_S = 20
Code = grpc.StatusCode


@pytest.fixture
def channel(server):
    with grpc.insecure_channel(server.target) as opened:
        yield opened


@pytest.fixture
def prediction(channel):
    return prediction_service_pb2_grpc.PredictionServiceStub(channel)


@pytest.fixture
def model(channel):
    return model_service_pb2_grpc.ModelServiceStub(channel)


def fails(method, request):
    """Calls, expects an error, returns its (code, details)."""
    with pytest.raises(grpc.RpcError) as caught:
        method(request, timeout=DEADLINE_S)
    return caught.value.code(), caught.value.details()


def image_request(array, **changes):
    return predict_request("serving_default", {"images": array}, "lgcnet", **changes)


def test_predict_answers_with_mask_scores_and_what_served_them(
    prediction, images, live_mask
):
    response = prediction.Predict(image_request(images), timeout=DEADLINE_S)
    assert set(response.outputs) == {"mask", "scores"}
    assert response.model_spec.name == "lgcnet"
    assert response.model_spec.version.value == 1
    assert response.model_spec.signature_name == "serving_default"
    assert not response.outputs["mask"].tensor_content
    mask = tf.make_ndarray(response.outputs["mask"])
    np.testing.assert_array_equal(mask, live_mask(images))


def test_the_signature_defaults_and_outputs_can_be_chosen(prediction, images):
    request = predict_request(
        "", {"images": images}, "lgcnet", version=1, outputs=["mask"]
    )
    response = prediction.Predict(request, timeout=DEADLINE_S)
    assert set(response.outputs) == {"mask"}


def _huge_claim():
    request = image_request(np.zeros((1, 24, 40, 3), np.uint8))
    tensor = request.inputs["images"]
    tensor.Clear()
    tensor.dtype = types_pb2.DT_UINT8
    for side in (2**40, 24, 40, 3):
        tensor.tensor_shape.dim.add(size=side)
    tensor.int_val.append(1)
    return request


def _damaged(**changes):
    request = image_request(np.zeros((1, 24, 40, 3), np.uint8))
    request.inputs["images"].MergeFrom(tensor_pb2.TensorProto(**changes))
    return request


def _short():
    request = image_request(np.zeros((1, 24, 40, 3), np.uint8))
    request.inputs["images"].tensor_content = b"123"
    return request


def _encoded(*files):
    return predict_request("encoded", {"encoded": list(files)}, "lgcnet")


GOOD = np.zeros((1, 24, 40, 3), np.uint8)
BAD_REQUESTS = {
    "another shape": (
        image_request(np.zeros((1, 25, 40, 3), np.uint8)),
        Code.INVALID_ARGUMENT,
        "must be uint8 (batch, 24, 40, 3). Received: uint8 (1, 25, 40, 3)",
    ),
    "no batch": (image_request(GOOD[0]), Code.INVALID_ARGUMENT, "Received: uint8"),
    "another dtype": (
        image_request(GOOD.astype(np.float32)),
        Code.INVALID_ARGUMENT,
        "Received: float32",
    ),
    "unknown dtype": (_damaged(dtype=999), Code.INVALID_ARGUMENT, "unknown dtype"),
    "too few bytes": (_short(), Code.INVALID_ARGUMENT, "'images' is no uint8"),
    "a shape of terabytes": (_huge_claim(), Code.INVALID_ARGUMENT, "a batch of more"),
    "missing input": (
        predict_request("serving_default", {}, "lgcnet"),
        Code.INVALID_ARGUMENT,
        "must be ['images']. Received: []",
    ),
    "unknown input": (
        predict_request("encoded", {"image": GOOD}, "lgcnet"),
        Code.INVALID_ARGUMENT,
        "must be ['encoded']. Received: ['image']",
    ),
    "a long unknown input": (
        predict_request("encoded", {"x" * 100_000: GOOD}, "lgcnet"),
        Code.INVALID_ARGUMENT,
        "must be ['encoded']",
    ),
    "no image": (
        _encoded(b"no image at all"),
        Code.INVALID_ARGUMENT,
        "not a PNG or JPEG",
    ),
    "no bytes": (_encoded(b""), Code.INVALID_ARGUMENT, "not a PNG or JPEG"),
    "unknown output": (
        image_request(GOOD, outputs=["depth"]),
        Code.INVALID_ARGUMENT,
        "no output ['depth']",
    ),
    "unknown signature": (
        predict_request("classify", {"images": GOOD}, "lgcnet"),
        Code.FAILED_PRECONDITION,
        "'classify' not found; lgcnet has classes, encoded, serving_default",
    ),
    "unknown version": (image_request(GOOD, version=7), Code.NOT_FOUND, "version 7"),
    "unknown model": (
        predict_request("serving_default", {"images": GOOD}, "other"),
        Code.NOT_FOUND,
        "No model 'other' here; there are ['lgcnet']",
    ),
}


@pytest.mark.parametrize("name", BAD_REQUESTS)
def test_bad_request_has_its_status_and_the_server_goes_on(prediction, images, name):
    request, code, text = BAD_REQUESTS[name]
    received, details = fails(prediction.Predict, request)
    assert received == code, details
    assert text in details
    assert "\n" not in details and "node" not in details
    assert prediction.Predict(image_request(images), timeout=DEADLINE_S).outputs


@pytest.mark.parametrize("image_format", ["PNG", "JPEG"])
def test_truncated_picture_is_an_invalid_argument(
    prediction, images, encode, image_format
):
    whole = encode(images[0], image_format)
    request = _encoded(whole, whole[: len(whole) // 2])
    code, details = fails(prediction.Predict, request)
    assert code == Code.INVALID_ARGUMENT, details
    assert prediction.Predict(_encoded(whole), timeout=DEADLINE_S).outputs


def test_version_label_is_refused_as_tensorflow_serving_does(prediction):
    request = image_request(GOOD)
    request.model_spec.version_label = "stable"
    code, details = fails(prediction.Predict, request)
    assert code == Code.INVALID_ARGUMENT
    assert "Unrecognized servable version label: stable" in details


def test_metadata_wants_signature_def(prediction):
    request = get_model_metadata_pb2.GetModelMetadataRequest()
    request.model_spec.name = "lgcnet"
    assert fails(prediction.GetModelMetadata, request)[0] == Code.INVALID_ARGUMENT


def test_model_status(model):
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = "lgcnet"
    (status,) = model.GetModelStatus(request, timeout=DEADLINE_S).model_version_status
    assert (status.version, status.status.error_code) == (1, 0)
    assert status.state == get_model_status_pb2.ModelVersionStatus.AVAILABLE
    request.model_spec.name = "other"
    assert fails(model.GetModelStatus, request)[0] == Code.NOT_FOUND


def test_health(channel):
    stub = health_pb2_grpc.HealthStub(channel)
    serving = health_pb2.HealthCheckResponse.SERVING
    for service in ("", "tensorflow.serving.PredictionService"):
        request = health_pb2.HealthCheckRequest(service=service)
        assert stub.Check(request, timeout=DEADLINE_S).status == serving
    request = health_pb2.HealthCheckRequest(service="no.such.Service")
    assert fails(stub.Check, request)[0] == Code.NOT_FOUND


def test_port_in_use_is_named_and_the_first_server_goes_on(
    server, client, base_path, images
):
    second = Server({"lgcnet": base_path}, port=server.port)
    with pytest.raises(InputError, match=f"Port {server.port} of 127.0.0.1.*in use"):
        second.start()
    assert client.predict(images).shape == (2, 24, 40)


def test_port_in_use_on_one_of_a_hosts_addresses_is_in_use(base_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for host in ("localhost", "0.0.0.0"):
            with pytest.raises(InputError, match="in use"):
                Server({"lgcnet": base_path}, host, port).start()


@pytest.mark.parametrize(
    ("where", "text"), [({"port": 70000}, "70000"), ({"host": "no.such.host"}, "8500")]
)
def test_impossible_address_is_named(base_path, where, text):
    with pytest.raises(InputError, match=text):
        Server({"lgcnet": base_path}, **where).start()


def test_model_folders_that_cannot_be_served(tmp_path, base_path):
    def start(path):
        Server({"lgcnet": path}, port=0).start()

    with pytest.raises(InputError, match="no such model folder"):
        start(tmp_path / "absent")
    with pytest.raises(InputError, match="no version in this model folder"):
        start(tmp_path)
    with pytest.raises(InputError, match="give the folder that holds"):
        start(base_path / "1")
    (tmp_path / "3").mkdir()
    with pytest.raises(InputError, match="3: no saved_model.pb"):
        start(tmp_path)
    (tmp_path / "3" / "saved_model.pb").write_bytes(b"\xff" * 100)
    with pytest.raises(InputError, match="no SavedModel"):
        start(tmp_path)
    shutil.copytree(base_path / "1", tmp_path / "4")
    (tmp_path / "4/variables/variables.index").unlink()
    with pytest.raises(InputError, match="4: cannot load"):
        start(tmp_path)
    with pytest.raises(InputError, match="at least one model"):
        Server({})


def test_failed_start_frees_the_port(tmp_path, base_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(InputError):
        Server({"lgcnet": tmp_path}, port=port).start()
    with Server({"lgcnet": base_path}, port=port) as running:
        assert running.port == port


def test_warmup_requests_are_replayed_at_load(tmp_path, base_path):
    shutil.copytree(base_path / "1", tmp_path / "1")
    path = tmp_path / "1/assets.extra/tf_serving_warmup_requests"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InputError, match="damaged warm-up requests"):
        Server({"lgcnet": tmp_path}, port=0).start()


def test_newest_version_is_served_by_number_not_by_name(
    network, info, tmp_path, images
):
    export_saved_model(network, tmp_path, info, version=9)
    export_saved_model(network, tmp_path, info, version=10)
    (tmp_path / "latest").mkdir()
    with Server({"a": tmp_path, "b": tmp_path}, port=0) as running:
        assert running.versions == {"a": 10, "b": 10}
        with Client(running.target, "b", version=10) as client:
            assert client.predict(images).shape == (2, 24, 40)


def test_messages_over_four_megabytes_pass(info, tmp_path):
    size = (900, 1600)
    network = keras.Sequential(
        [
            keras.Input((*size, 3), dtype="uint8"),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(5, 1),
        ]
    )
    export_saved_model(network, tmp_path, info, scores=True)
    rng = np.random.default_rng(1)
    image = rng.integers(0, 256, (1, *size, 3), dtype=np.uint8)
    assert image.nbytes > 4 * 2**20
    expected = np.argmax(network.predict_on_batch(image), -1)
    with Server({"big": tmp_path}, port=0) as running:
        with Client(running.target, "big") as client:
            np.testing.assert_array_equal(client.predict(image), expected)
        options = [("grpc.max_receive_message_length", -1)]
        with grpc.insecure_channel(running.target, options) as channel:
            stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
            request = predict_request("", {"images": image}, "big")
            scores = stub.Predict(request, timeout=DEADLINE_S).outputs["scores"]
            assert len(scores.float_val) == 900 * 1600 * 5
    with Server({"big": tmp_path}, port=0, max_message_mb=5) as small:
        with Client(small.target, "big") as client:
            with pytest.raises(InputError, match="RESOURCE_EXHAUSTED"):
                client.predict(np.concatenate([image, image]))
            assert client.predict(image).shape == (1, *size)
    with pytest.raises(InputError, match="warm-up request fails.*larger than"):
        Server({"big": tmp_path}, port=0, max_message_mb=1).start()
