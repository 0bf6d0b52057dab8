"""TensorFlow Serving's contract, difference by difference.

The same tests ask ours and, where it is on the PATH, `tensorflow_model_server`,
through its own stubs and through a client that others wrote.
"""

import json
import shutil
import socket
import subprocess
import urllib.error
import urllib.request

import grpc
import numpy as np
import ovmsclient
import pytest
import tensorflow as tf
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)

from lgcnet_tf.serving.client import Client
from lgcnet_tf.serving.protos import predict_request
from lgcnet_tf.serving.server import Server

DEADLINE_S = 30
Code = grpc.StatusCode
REAL = "tensorflow_model_server"
needs_real = pytest.mark.skipif(
    shutil.which(REAL) is None, reason=f"{REAL} is not on the PATH"
)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module", params=["ours", pytest.param("real", marks=needs_real)])
def targets(request, base_path, tmp_path_factory):
    """The addresses of gRPC and REST of a server with one model and a label."""
    config = tmp_path_factory.mktemp("config") / "models.config"
    config.write_text(
        f'model_config_list {{ config {{ name: "lgcnet" base_path: "{base_path}" '
        'model_platform: "tensorflow" version_labels { key: "stable" value: 1 } } }'
    )
    if request.param == "ours":
        with Server(port=0, rest_port=0, model_config_file=str(config)) as running:
            yield running.target, f"127.0.0.1:{running.rest_port}"
        return
    ports = free_port(), free_port()
    process = subprocess.Popen(
        [
            REAL, f"--port={ports[0]}", f"--rest_api_port={ports[1]}",
            f"--model_config_file={config}", "--allow_version_labels",
        ]
    )  # fmt: skip
    try:
        targets = tuple(f"127.0.0.1:{port}" for port in ports)
        with Client(targets[0], "lgcnet") as client:
            client.wait_until_ready(60)
        yield targets
    finally:
        process.terminate()
        process.wait()


@pytest.fixture
def channel(targets):
    with grpc.insecure_channel(targets[0]) as opened:
        yield opened


@pytest.fixture
def prediction(channel):
    return prediction_service_pb2_grpc.PredictionServiceStub(channel)


@pytest.fixture
def model(channel):
    return model_service_pb2_grpc.ModelServiceStub(channel)


def fails(method, request):
    with pytest.raises(grpc.RpcError) as caught:
        method(request, timeout=DEADLINE_S)
    assert len(caught.value.details().encode()) <= 1024
    return caught.value.code()


def asks(images, **changes):
    return predict_request("", {"images": images}, "lgcnet", **changes)


GOOD = np.zeros((1, 24, 40, 3), np.uint8)


def test_signatures_and_model_specs_that_are_not_there(prediction):
    unknown = predict_request("x" * 5000, {"images": GOOD}, "lgcnet")
    assert fails(prediction.Predict, unknown) == Code.FAILED_PRECONDITION
    init = predict_request("__saved_model_init_op", {}, "lgcnet")
    assert fails(prediction.Predict, init) in (Code.INTERNAL, Code.INVALID_ARGUMENT)
    nameless = predict_request("", {"images": GOOD}, "")
    assert fails(prediction.Predict, nameless) == Code.INVALID_ARGUMENT
    bare = predict_pb2.PredictRequest()
    assert fails(prediction.Predict, bare) == Code.INVALID_ARGUMENT
    bare = get_model_status_pb2.GetModelStatusRequest()
    assert fails(prediction.Predict, asks(GOOD, version=9)) == Code.NOT_FOUND


def test_an_output_filter_names_each_once(prediction):
    twice = asks(GOOD, outputs=["mask", "mask"])
    assert fails(prediction.Predict, twice) == Code.INVALID_ARGUMENT
    unknown = asks(GOOD, outputs=["depth"])
    assert fails(prediction.Predict, unknown) == Code.INVALID_ARGUMENT


def test_outputs_are_typed_fields(prediction, images, live_mask):
    outputs = prediction.Predict(asks(images), timeout=DEADLINE_S).outputs
    assert not any(one.tensor_content for one in outputs.values())
    assert list(outputs["mask"].int_val) == live_mask(images).ravel().tolist()
    assert len(outputs["scores"].float_val) == 2 * 24 * 40 * 5


def test_an_empty_batch_has_an_empty_answer(prediction):
    for request, outputs in (
        (asks(GOOD[:0]), {"mask": (0, 24, 40), "scores": (0, 24, 40, 5)}),
        (
            predict_request("encoded", {"encoded": []}, "lgcnet"),
            {"mask": (0, 0, 0), "size": (0, 2), "scores": (0, 0, 0, 5)},
        ),
    ):
        answer = prediction.Predict(request, timeout=DEADLINE_S).outputs
        found = {name: tf.make_ndarray(one).shape for name, one in answer.items()}
        assert found == outputs


def test_typed_values_are_taken_as_cpp_does(prediction, live_mask):
    """Surplus ignored, missing ones the last again, integers wrapped."""
    size = 24 * 40 * 3
    for given in ([300], [7] * size + [1, 2], [-1, 5]):
        request = asks(GOOD)
        tensor = request.inputs["images"]
        tensor.tensor_content = b""
        tensor.int_val.extend(given)
        values = np.array((given + [given[-1]] * size)[:size]).astype(np.uint8)
        answer = prediction.Predict(request, timeout=DEADLINE_S).outputs["mask"]
        expected = live_mask(values.reshape(GOOD.shape))
        assert list(answer.int_val) == expected.ravel().tolist()


def test_labels(prediction, model):
    request = asks(GOOD)
    request.model_spec.version_label = "stable"
    answer = prediction.Predict(request, timeout=DEADLINE_S)
    assert answer.model_spec.version.value == 1
    request.model_spec.version_label = "other"
    assert fails(prediction.Predict, request) == Code.INVALID_ARGUMENT


def test_metadata_fields(prediction):
    request = get_model_metadata_pb2.GetModelMetadataRequest()
    assert fails(prediction.GetModelMetadata, request) == Code.INVALID_ARGUMENT
    request.model_spec.name = "other"
    assert fails(prediction.GetModelMetadata, request) == Code.INVALID_ARGUMENT
    request.metadata_field.append("signature_def")
    assert fails(prediction.GetModelMetadata, request) == Code.NOT_FOUND
    request.model_spec.name = "lgcnet"
    request.metadata_field.append("signature_def")  # twice is allowed
    response = prediction.GetModelMetadata(request, timeout=DEADLINE_S)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    response.metadata["signature_def"].Unpack(signatures)
    found = set(signatures.signature_def)
    assert {"serving_default", "encoded", "__saved_model_init_op"} <= found
    request.metadata_field.append("other")
    assert fails(prediction.GetModelMetadata, request) == Code.INVALID_ARGUMENT


def test_status(model):
    request = get_model_status_pb2.GetModelStatusRequest()
    assert fails(model.GetModelStatus, request) == Code.INVALID_ARGUMENT
    request.model_spec.name = "lgcnet"
    (one,) = model.GetModelStatus(request, timeout=DEADLINE_S).model_version_status
    assert (one.version, one.state) == (1, one.AVAILABLE)
    assert one.HasField("status") and one.status.error_code == 0
    request.model_spec.version_label = "stable"
    (one,) = model.GetModelStatus(request, timeout=DEADLINE_S).model_version_status
    assert one.version == 1
    request.model_spec.version.value = 7
    assert fails(model.GetModelStatus, request) == Code.NOT_FOUND


def test_health_has_the_names_of_the_real_one(channel):
    check = health_pb2_grpc.HealthStub(channel).Check
    for service in ("", "PredictionService", "ModelService"):
        request = health_pb2.HealthCheckRequest(service=service)
        answer = check(request, timeout=DEADLINE_S)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
    unknown = health_pb2.HealthCheckRequest(service="other")
    assert fails(check, unknown) == Code.NOT_FOUND


def test_classify_and_regress_want_such_a_signature(prediction):
    example = tf.train.Example()
    for method, request in (
        (prediction.Classify, classification_pb2.ClassificationRequest()),
        (prediction.Regress, regression_pb2.RegressionRequest()),
    ):
        assert fails(method, request) == Code.INVALID_ARGUMENT
        request.model_spec.name = "lgcnet"
        request.input.example_list.examples.append(example)
        assert fails(method, request) == Code.INVALID_ARGUMENT
        request.model_spec.signature_name = "other"
        assert fails(method, request) == Code.INVALID_ARGUMENT
    nothing = inference_pb2.MultiInferenceRequest()
    assert fails(prediction.MultiInference, nothing) == Code.INVALID_ARGUMENT


def rest(targets, path, body=None, headers=None):
    """The status and the parsed body of an answer."""
    data = (
        body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    )
    request = urllib.request.Request(f"http://{targets[1]}{path}", data, headers or {})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=DEADLINE_S) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_rest_predicts_rows_and_columns(targets, images, live_mask, encode):
    expected = live_mask(images).tolist()
    path = "/v1/models/lgcnet:predict"
    status, rows = rest(targets, path, {"instances": images.tolist()})
    assert status == 200
    assert [row["mask"] for row in rows["predictions"]] == expected
    named = [{"images": image} for image in images.tolist()]
    assert rest(targets, path, {"instances": named}) == (200, rows)
    for inputs in (images.tolist(), {"images": images.tolist()}):
        status, columns = rest(targets, path, {"inputs": inputs})
        assert status == 200 and columns["outputs"]["mask"] == expected
    from base64 import b64encode

    texts = [{"b64": b64encode(encode(one, "PNG")).decode()} for one in images]
    for where in ("/v1/models/lgcnet/versions/1", "/v1/models/lgcnet/labels/stable"):
        body = {"signature_name": "encoded", "instances": texts}
        status, rows = rest(targets, f"{where}:predict", body)
        assert status == 200
        assert [row["mask"] for row in rows["predictions"]] == expected
        assert [row["size"] for row in rows["predictions"]] == [[24, 40]] * 2


@pytest.mark.parametrize(
    "path, body, code",
    [
        ("/v1/models/other:predict", {"instances": [1]}, 404),
        ("/v1/models/lgcnet/versions/9:predict", {"instances": [1]}, 404),
        ("/v1/models/lgcnet/labels/x:predict", {"instances": [1]}, 400),
        ("/v1/models/lgcnet:predict", {"instances": [1]}, 400),
        ("/v1/models/lgcnet:predict", {"instances": []}, 400),
        ("/v1/models/lgcnet:predict", {"instances": [[1], [1, 2]]}, 400),
        ("/v1/models/lgcnet:predict", {"instances": [["a"]]}, 400),
        ("/v1/models/lgcnet:predict", {"inputs": {"x": [1]}}, 400),
        ("/v1/models/lgcnet:predict", {}, 400),
        ("/v1/models/lgcnet:predict", {"inputs": [1], "instances": [1]}, 400),
        ("/v1/models/lgcnet:predict", b"{", 400),
        ("/v1/models/lgcnet:predict", b"[" * 100_000, 400),
        ("/v1/models/lgcnet:predict", {"signature_name": "x", "instances": [1]}, 400),
        ("/v1/models/lgcnet:classify", {"examples": [{"a": 1}]}, 400),
        ("/v1/models/lgcnet:regress", {"examples": [{"a": 1}]}, 400),
        ("/v1/models/lgcnet:other", {"instances": [1]}, 400),
        ("/v1/models/other", None, 404),
        ("/v1/models/lgcnet/versions/9", None, 404),
        ("/v1/models/lgcnet/versions/99999999999999999999", None, 400),
        ("/v1/models/lgcnet:predict", None, 400),
    ],
)
def test_rest_errors_have_their_code_and_say_why(targets, path, body, code):
    status, answer = rest(targets, path, body)
    assert (status, list(answer)) == (code, ["error"]) and answer["error"]


def test_rest_status_and_metadata(targets):
    available = {
        "version": "1",
        "state": "AVAILABLE",
        "status": {"error_code": "OK", "error_message": ""},
    }
    for path in ("", "/versions/1", "/labels/stable"):
        status, answer = rest(targets, f"/v1/models/lgcnet{path}")
        assert (status, answer) == (200, {"model_version_status": [available]})
    status, answer = rest(targets, "/v1/models/lgcnet/metadata")
    assert status == 200 and answer["model_spec"]["version"] == "1"
    signature = answer["metadata"]["signature_def"]["signature_def"]["serving_default"]
    assert signature["inputs"]["images"]["dtype"] == "DT_UINT8"
    assert signature["inputs"]["images"]["tensor_shape"]["dim"][1]["size"] == "24"


@pytest.mark.parametrize("kind", ["grpc", "http"])
def test_a_client_that_others_wrote(targets, kind, images, live_mask, encode):
    make = {"grpc": ovmsclient.make_grpc_client, "http": ovmsclient.make_http_client}
    client = make[kind](targets[kind == "http"])
    model = {"model_name": "lgcnet", "model_version": 1}  # of 0 it asks for 0
    status = client.get_model_status(**model)
    assert status[1]["state"] == "AVAILABLE" and status[1]["error_code"] == 0
    if kind == "grpc":  # over HTTP it wants names that only its own server gives
        metadata = client.get_model_metadata(**model)
        assert metadata["inputs"]["images"]["shape"] == [-1, 24, 40, 3]
    outputs = client.predict(inputs={"images": images}, **model)
    np.testing.assert_array_equal(outputs["mask"], live_mask(images))
    with pytest.raises(ovmsclient.tfs_compat.base.errors.ModelNotFoundError):
        client.predict(inputs={"images": images}, model_name="other", model_version=1)
