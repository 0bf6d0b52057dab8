"""How a server ends: health first, then what is under way, then in any case."""

import os
import socket
import threading

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from lgcnet_tf.commands import serve as command
from lgcnet_tf.serving.client import Client
from lgcnet_tf.serving.server import Server


@pytest.fixture
def started(base_path):
    running = Server({"lgcnet": base_path}, port=0, rest_port=0, threads=1).start()
    yield running
    running.stop(0)


def test_work_past_the_grace_is_abandoned(started):
    gate = threading.Event()
    job = started._core.submit(1, lambda job: gate.wait(60))
    try:
        assert started.stop(grace_s=0.2) is False
        assert not job.future.done()
    finally:
        gate.set()


def test_the_process_then_ends_without_waiting(monkeypatch):
    class Busy:
        versions, target = {"lgcnet": 1}, "here"

        def __init__(self, *_, **__):
            pass

        def check(self):
            pass

        def start(self):
            pass

        def serve_forever(self, grace_s, lame_duck_s):
            assert (grace_s, lame_duck_s) == (2.0, 1.0)
            return False

    def end(status):
        raise SystemExit(status)

    monkeypatch.setattr("lgcnet_tf.serving.server.Server", Busy)
    monkeypatch.setattr(os, "_exit", end)
    with pytest.raises(SystemExit) as ended:
        command.serve(command.ServeOptions(model="m", grace_s=2.0, lame_duck_s=1.0))
    assert ended.value.code == 0


def test_a_lame_duck_says_so_and_still_answers(started, images, live_mask):
    with grpc.insecure_channel(started.target) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        states = health.Watch(health_pb2.HealthCheckRequest(), timeout=60)
        assert next(states).status == health_pb2.HealthCheckResponse.SERVING
        stopping = threading.Thread(target=started.stop, kwargs={"lame_duck_s": 5.0})
        with Client(started.target, "lgcnet") as client:
            stopping.start()
            assert next(states).status == health_pb2.HealthCheckResponse.NOT_SERVING
            assert (client.predict(images) == live_mask(images)).all()
        states.cancel()
    stopping.join()


def test_idle_connections_do_not_hold_it_up(started):
    port = started.rest_port
    with socket.create_connection(("127.0.0.1", port), 10) as silent:
        with socket.create_connection(("127.0.0.1", port), 10) as used:
            used.sendall(b"GET /v1/models/lgcnet HTTP/1.1\r\nHost: x\r\n\r\n")
            assert used.recv(100).startswith(b"HTTP/1.1 200")
            assert started.stop(grace_s=20)
            used.settimeout(10)
            while used.recv(4096):
                pass  # what was left of the answer, then its end
        silent.settimeout(10)
        assert silent.recv(1) == b""
