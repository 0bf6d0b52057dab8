"""Requests of several clients as one batch."""

import concurrent.futures
import pathlib
import threading

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_service_pb2_grpc

from lgcnet_tf.errors import InputError
from lgcnet_tf.serving.batching import (
    Batcher,
    BatchingParameters,
    read_batching_parameters,
)
from lgcnet_tf.serving.protos import predict_request
from lgcnet_tf.serving.server import Server

FILE = pathlib.Path(__file__).parents[2] / "serving/batching.config"
LONG_US = 20_000_000


def test_the_real_ones_file_is_read():
    parameters = read_batching_parameters(FILE)
    assert parameters == BatchingParameters(8, 2000, 64, 4, (1, 2, 4, 8))
    assert [parameters.filled(n) for n in (1, 3, 5, 8)] == [1, 4, 8, 8]


@pytest.mark.parametrize(
    "text, message",
    [
        ("max_batch_size: 3", "no BatchingParameters"),
        ("max_batch_size { value: 0 }", "nor max_batch_size 0"),
        ("max_batch_size { value: 4 } allowed_batch_sizes: 2", "must rise to"),
        ("max_batch_size { value: 2 } allowed_batch_sizes: [2, 1, 2]", "must rise to"),
    ],
)
def test_files_that_cannot_be_are_named(tmp_path, text, message):
    (tmp_path / "batching.config").write_text(text)
    with pytest.raises(InputError, match=f"batching.config.*{message}") as caught:
        read_batching_parameters(tmp_path / "batching.config")
    assert "\n" not in str(caught.value)


def together(batcher, run, parts, most=1000, key=0):
    """Asks in a thread for each part; gives results or errors, in order."""
    with concurrent.futures.ThreadPoolExecutor(len(parts)) as pool:
        asked = [pool.submit(batcher.run, key, part, run, most) for part in parts]
        return [one.exception(60) or one.result()["y"] for one in asked]


def test_a_full_batch_runs_once_and_each_gets_its_own():
    sizes = []

    def run(values):
        sizes.append(len(values))
        return {"y": values * 10}

    parameters = BatchingParameters(4, LONG_US, allowed_batch_sizes=(4,))
    parts = [np.array([n]) for n in range(4)]
    found = together(Batcher(parameters), run, parts)
    assert [one.tolist() for one in found] == [[0], [10], [20], [30]]
    assert sizes == [4]


def test_a_batch_is_filled_up_to_an_allowed_size_when_the_time_is_over():
    sizes, both = [], threading.Barrier(2)

    def run(values):
        sizes.append(len(values))
        return {"y": values + 1}

    def ask(batcher, part):
        both.wait()
        return batcher.run(0, part, run, 1000)["y"]

    batcher = Batcher(BatchingParameters(8, 1_000_000, allowed_batch_sizes=(4, 8)))
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        found = list(pool.map(ask, [batcher] * 2, [np.array([1]), np.array([5, 6])]))
    assert [one.tolist() for one in found] == [[2], [6, 7]]
    assert sizes == [4]


def test_what_fails_together_is_run_alone():
    def run(values):
        if 13 in values:
            raise ValueError("unlucky")
        return {"y": values}

    parts = [np.array([n]) for n in (1, 13, 2)]
    found = together(Batcher(BatchingParameters(3, LONG_US)), run, parts)
    assert isinstance(found[1], ValueError)
    assert [found[0].tolist(), found[2].tolist()] == [[1], [2]]


def test_no_batch_is_larger_than_it_may_be():
    sizes = []

    def run(values):
        sizes.append(len(values))
        return {"y": values}

    parts = [np.arange(2) + 2 * n for n in range(4)]
    batcher = Batcher(BatchingParameters(100, 200_000))
    found = together(batcher, run, parts, most=5)
    assert [one.tolist() for one in found] == [part.tolist() for part in parts]
    assert max(sizes) <= 5
    assert batcher.run(0, np.arange(9), run, 5)["y"].tolist() == list(range(9))


def test_clients_are_answered_as_without_batching(base_path, images, live_mask, encode):
    """Pictures of two sizes, raw images, and one bad picture that fails alone."""
    small = images[1, :12, :20]
    files = [encode(images[0], "PNG"), encode(small, "PNG")]
    bad = files[0][:-60] + bytes(60)
    with Server({"lgcnet": base_path}, port=0) as alone:
        with grpc.insecure_channel(alone.target) as channel:
            predict = prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict
            expected = [
                predict(predict_request("encoded", {"encoded": [one]}, "lgcnet"))
                for one in files
            ]
    parameters = BatchingParameters(4, 300_000, num_batch_threads=1)
    with Server({"lgcnet": base_path}, port=0, batching=parameters) as running:
        with grpc.insecure_channel(running.target) as channel:
            predict = prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict
            encoded = [
                predict.future(
                    predict_request("encoded", {"encoded": [one]}, "lgcnet"), timeout=60
                )
                for one in [*files, *files, bad]
            ]
            raw = [
                predict.future(
                    predict_request("", {"images": images[n : n + 1]}, "lgcnet"),
                    timeout=60,
                )
                for n in (0, 1)
            ]
            with pytest.raises(grpc.RpcError, match="INVALID_ARGUMENT"):
                encoded[4].result()
            for n, call in enumerate(encoded[:4]):
                for name, tensor in call.result().outputs.items():
                    np.testing.assert_allclose(
                        tf.make_ndarray(tensor),
                        tf.make_ndarray(expected[n % 2].outputs[name]),
                        atol=1e-5,
                    )
            masks = [tf.make_ndarray(call.result().outputs["mask"]) for call in raw]
    np.testing.assert_array_equal(np.concatenate(masks), live_mask(images))
