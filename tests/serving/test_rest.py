"""The REST face beyond TensorFlow Serving's contract: limits, metrics, gzip."""

import gzip
import http.client
import json
import re
import socket
import threading

import numpy as np
import pytest

from lgcnet_tf.serving.rest_json import _array, answer_json, parse_json
from lgcnet_tf.serving.server import Server
from lgcnet_tf.serving.status import Code, RequestError

PREDICT = "/v1/models/lgcnet:predict"


@pytest.fixture(scope="module")
def server(base_path):
    with Server(
        {"lgcnet": base_path},
        port=0,
        rest_port=0,
        threads=1,
        max_queue=1,
        receive_timeout_s=1.5,
        max_message_mb=1,
    ) as running:
        yield running


def ask(server, path, body=None, **headers):
    """The answer's status, headers and body."""
    connection = http.client.HTTPConnection("127.0.0.1", server.rest_port, timeout=30)
    try:
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request("POST" if body is not None else "GET", path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def rows(images):
    return json.dumps({"instances": images.tolist()}).encode()


def test_bodies_may_be_compressed_both_ways(server, images, live_mask):
    body = gzip.compress(rows(images))
    status, headers, answer = ask(
        server, PREDICT, body, Content_Encoding="gzip", Accept_Encoding="gzip"
    )
    assert (status, headers["Content-Encoding"]) == (200, "gzip")
    found = json.loads(gzip.decompress(answer))["predictions"]
    assert [one["mask"] for one in found] == live_mask(images).tolist()


@pytest.mark.parametrize("shape", [(), (3,), (40_000,), (2, 150, 100), (2, 90, 95, 3)])
def test_json_in_pieces_is_json(shape):
    rng = np.random.default_rng(0)
    mask = rng.integers(0, 256, shape).astype(np.uint8)
    outputs = {"mask": mask, "scores": rng.normal(size=shape).astype(np.float32)}
    plain = {name: one.tolist() for name, one in outputs.items()}
    assert json.loads(answer_json(outputs, False)) == {"outputs": plain}
    assert json.loads(answer_json({"mask": mask}, True)) == {
        "predictions": mask.tolist()
    }
    if shape:
        rows = [dict(zip(plain, row)) for row in zip(*plain.values())]
        assert json.loads(answer_json(outputs, True)) == {"predictions": rows}
    np.testing.assert_array_equal(_array(mask.tolist()), mask)
    assert _array(mask.tolist()).dtype == np.array(mask.tolist()).dtype


def test_lists_of_several_lengths_are_no_array():
    rows = [[0] * 20_000, [0] * 20_001]
    for ragged in (rows, [rows, rows], [*[0] * 20_000, [1]]):
        with pytest.raises(ValueError):
            _array(ragged)


def test_a_body_that_unpacks_to_much_is_refused(server):
    bomb = gzip.compress(bytes(64 * 2**20))
    status, _, answer = ask(server, PREDICT, bomb, Content_Encoding="gzip")
    assert status in (400, 429) and json.loads(answer)["error"]
    assert ask(server, "/v1/models/lgcnet")[0] == 200


def test_a_body_over_the_limit_is_refused(server):
    status, _, answer = ask(server, PREDICT, bytes(2 * 2**20))
    assert status == 429 and "--max_message_mb" in json.loads(answer)["error"]


def test_a_body_that_does_not_come_is_cut(server):
    with socket.create_connection(("127.0.0.1", server.rest_port)) as half:
        half.sendall(
            f"POST {PREDICT} HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n{{".encode()
        )
        half.settimeout(30)
        assert half.recv(100).startswith(b"HTTP/1.1 504")


def test_a_full_queue_is_too_many_requests_and_status_does_not_wait(server, images):
    gate, pool = threading.Event(), server._core.pool
    jobs = [server._core.submit(1, lambda job: gate.wait(60))]
    while not pool.running:
        pass
    jobs.append(server._core.submit(1, lambda job: None))
    try:
        status, _, answer = ask(server, PREDICT, rows(images))
        assert status == 429 and "--max_queue" in json.loads(answer)["error"]
        assert ask(server, "/v1/models/lgcnet")[0] == 200
        page = ask(server, "/monitoring/prometheus/metrics")[2].decode()
        assert "lgcnet_serving_queue_length 1.0" in page
        assert "lgcnet_serving_running 1.0" in page
    finally:
        gate.set()
        for job in jobs:
            job.future.result(20)


def test_metrics_count_what_was_answered(server, images):
    def count(status):
        page = ask(server, "/monitoring/prometheus/metrics")[2].decode()
        name = r'lgcnet_serving_requests_total\{face="rest",method="Predict",status="%s"\} '
        found = re.search(name % status + r"(\S+)", page)
        return float(found[1]) if found else 0.0

    def batches():
        page = ask(server, "/monitoring/prometheus/metrics")[2].decode()
        return [
            float(re.search(rf"lgcnet_serving_batch_size_{what} (\S+)", page)[1])
            for what in ("count", "sum")
        ]

    good, bad = count("OK"), count("INVALID_ARGUMENT")
    before = batches()
    five = np.concatenate([images, images, images[:1]])  # a batch has at most four
    answer = ask(server, PREDICT, rows(five))
    assert answer[0] == 200, answer[2]
    assert np.subtract(batches(), before).tolist() == [2, 5]
    assert ask(server, PREDICT, b"{}")[0] == 400
    assert (count("OK"), count("INVALID_ARGUMENT")) == (good + 1, bad + 1)
    page = ask(server, "/monitoring/prometheus/metrics")[2].decode()
    state = 'version_state{model="lgcnet",state="AVAILABLE",version="1"} 1.0'
    assert state in page
    assert "lgcnet_serving_images_count" in page
    assert 'request_seconds_bucket{face="rest",le="0.5",method="Predict"}' in page


def test_other_paths_are_malformed(server):
    for path in ("/", "/v1/models", "/v1/models/a/b/c", "/v2/models/lgcnet"):
        status, _, answer = ask(server, path)
        assert status == 400 and "Malformed request" in json.loads(answer)["error"]


def test_json_that_would_take_much_memory_is_not_parsed():
    for body in (b"[" * 2_000_000, b"{}," * 2_000_000, b"1," * 5_000_000):
        with pytest.raises(RequestError, match="send PNG or JPEG") as caught:
            parse_json(body)
        assert caught.value.code is Code.RESOURCE_EXHAUSTED


def test_strings_are_text_or_base64_by_their_outputs_name():
    texts = np.array([b"a", b"\xff"], object)
    found = json.loads(answer_json({"x_bytes": texts, "y": texts}, True))
    assert found["predictions"][0] == {"x_bytes": {"b64": "YQ=="}, "y": "a"}
    assert found["predictions"][1]["x_bytes"] == {"b64": "/w=="}
    with pytest.raises(RequestError, match="different batches"):
        answer_json({"x": texts, "y": texts[:1]}, True)
