"""What a stranger may send to the server: is each answered, and in how much memory?

Starts `lgcnet-serve` with its default limits, asks 16 ordinary things, and takes its
resident memory then as idle. Half as much again is the limit: the memory is looked at
every 50 ms, and a server above it is killed and counted as a crash. Sent are the cases
that once brought it down, and requests that Hypothesis makes up: whole messages of
strange content, and true ones with bytes changed, over gRPC and REST.

    python benchmarks/serving_hostile.py --quick

Ends in one line of JSON: `requests`, of which `answered` (with whatever status) and
`lost` (no answer in a minute, or a connection that broke), `crashes`, and the MiB
`peak_mb` and `idle_mb`.
"""

import argparse
import collections
import concurrent.futures
import gzip
import http.client
import io
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

SIZE = (96, 160)
PREDICT = "/tensorflow.serving.PredictionService/Predict"
METHODS = (
    *[PREDICT] * 6,
    "/tensorflow.serving.PredictionService/GetModelMetadata",
    "/tensorflow.serving.PredictionService/Classify",
    "/tensorflow.serving.PredictionService/MultiInference",
    "/tensorflow.serving.ModelService/GetModelStatus",
    "/tensorflow.serving.ModelService/HandleReloadConfigRequest",
    "/grpc.health.v1.Health/Check",
)
DEADLINE_S = 60
IN_FLIGHT = 16
SAMPLE_S = 0.05
LOST = ("UNAVAILABLE", "DEADLINE_EXCEEDED", "UNKNOWN", "CANCELLED")


class Target:
    """The server's process, watched; a new one where it has ended."""

    def __init__(self, model):
        self.model, self.crashes, self.peak, self.limit = model, 0, 0.0, float("inf")
        self.port, self.rest_port = free_port(), free_port()
        self.errors = open(os.devnull, "wb")  # noqa: SIM115 (as long as the run)
        self.start()
        threading.Thread(target=self._watch, daemon=True).start()

    def start(self):
        command = (
            "-m", "lgcnet_tf.bin.serve", f"--model={self.model}",
            f"--port={self.port}", f"--rest_api_port={self.rest_port}",
        )  # fmt: skip
        self.process = subprocess.Popen(
            [sys.executable, *command], stdout=subprocess.PIPE, stderr=self.errors
        )
        if not self.process.stdout.readline().startswith(b"Serving"):
            raise SystemExit(f"No server: {' '.join(command)}")

    def resident(self):
        """MiB."""
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", text)[1]) / 1024

    def alive(self):
        """Starts it again where it has ended, and counts that."""
        if self.process.poll() is None:
            return
        self.crashes += 1
        self.start()

    def _watch(self):
        while True:
            try:
                now = self.resident()
                self.peak = max(self.peak, now)
                if now > self.limit:
                    self.process.kill()
            except (OSError, TypeError):
                pass  # it has just ended
            time.sleep(SAMPLE_S)


class Sender:
    """Sends, a few at a time, and counts what comes back."""

    def __init__(self, target):
        import grpc

        self.target, self.requests, self.lost = target, 0, 0
        self.statuses = collections.Counter()
        self._waiting = collections.deque()
        self._threads = concurrent.futures.ThreadPoolExecutor(8)
        self.channel = grpc.insecure_channel(
            f"127.0.0.1:{target.port}",
            [
                ("grpc.max_send_message_length", -1),
                ("grpc.max_receive_message_length", -1),
            ],
        )

    def grpc(self, body, method=PREDICT, **options):
        call = self.channel.unary_unary(method)
        self._wait(call.future(body, timeout=DEADLINE_S, **options))

    def rest(self, path, body, headers=None):
        self._wait(self._threads.submit(self._rest, path, body, headers or {}))

    def stalled(self):
        """A call that never sends its message; not waited for."""
        call = self.channel.stream_unary(PREDICT)
        self._wait(call.future(self._never()), now=False)

    def finish(self, left=0):
        while len(self._waiting) > left:
            self._end(self._waiting.popleft())

    def _never(self):
        time.sleep(DEADLINE_S)
        yield from ()

    def _rest(self, path, body, headers):
        connection = http.client.HTTPConnection(
            "127.0.0.1", self.target.rest_port, timeout=DEADLINE_S
        )
        try:
            connection.request("POST", path, body, headers)
            return connection.getresponse().read() and None
        finally:
            connection.close()

    def _wait(self, future, now=True):
        self.requests += 1
        self._waiting.append(future)
        if now:
            self.finish(IN_FLIGHT)

    def _end(self, future):
        try:
            future.result(2 * DEADLINE_S)
            status = "OK"
        except Exception as error:
            code = getattr(error, "code", None)
            status = code().name if callable(code) else "UNAVAILABLE"
            text = str(error.details() if callable(code) else error)
            # The server's own refusals to those who send nothing are answers.
            if status in LOST and "No message came" not in text:
                self.lost += 1
                print(f"lost: {status} {text[:200]}", file=sys.stderr)
        self.statuses[status] += 1
        self.target.alive()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def export_model(folder):
    """The zoo's network, exported small."""
    from lgcnet_tf.data import dataset_info
    from lgcnet_tf.model.deploy import deploy
    from lgcnet_tf.model.zoo import load_network
    from lgcnet_tf.serving.export import export_saved_model

    network = deploy(load_network("lgcnet_camvid", SIZE))
    export_saved_model(network, folder, dataset_info("camvid"), 1, False, {}, SIZE, 11)


def picture(width, height, kind="PNG"):
    from PIL import Image

    file = io.BytesIO()
    Image.linear_gradient("L").convert("RGB").resize((width, height)).save(file, kind)
    return file.getvalue()


def request_of(signature, name, dtype, shape, **fields):
    from tensorflow_serving.apis import predict_pb2

    request = predict_pb2.PredictRequest()
    request.model_spec.name = "lgcnet"
    request.model_spec.signature_name = signature
    tensor = request.inputs[name]
    tensor.dtype = dtype
    for side in shape:
        tensor.tensor_shape.dim.add(size=side)
    for field, values in fields.items():
        if field == "tensor_content":
            tensor.tensor_content = values
        else:
            getattr(tensor, field).extend(values)
    return request.SerializeToString()


def encoded_request(*files):
    return request_of("encoded", "encoded", 7, (len(files),), string_val=files)


def known_cases(sender):
    """What once brought the server down."""
    import grpc

    raw = (1, *SIZE, 3)
    for shape in (10**8, 10**12, 1000):
        sender.grpc(request_of("encoded", "encoded", 7, (shape,), string_val=[b""]))
        one = [picture(1, 1)]
        sender.grpc(request_of("encoded", "encoded", 7, (shape,), string_val=one))
    sender.grpc(request_of("", "images", 4, (5800, *SIZE, 3), int_val=[1]))
    for value in (-1, 256, 2**31 - 1):
        sender.grpc(request_of("", "images", 4, raw, int_val=[value]))
    for _ in range(8):
        sender.stalled()
    sender.grpc(encoded_request(picture(64, 48)))
    sender.finish()
    for _ in range(150):  # 4.6 MB each, sent at once
        content = bytes(SIZE[0] * SIZE[1] * 3)
        body = request_of("", "images", 4, raw, tensor_content=content)
        padding = request_of("x" * 4_500_000, "images", 4, raw)
        call = sender.channel.unary_unary(PREDICT)
        sender._wait(call.future(body + padding, timeout=DEADLINE_S), now=False)
    sender.finish()
    sender.grpc(encoded_request(bytes(2**28)), compression=grpc.Compression.Gzip)
    sender.grpc(encoded_request(bytes(30 * 2**20)))
    for kind in ("WEBP", "BMP", "GIF", "TIFF"):
        sender.grpc(encoded_request(picture(8, 8), picture(8, 8, kind)))
    sender.grpc(encoded_request(b"\xff\x0a" + bytes(100)))
    sender.grpc(encoded_request(picture(30_000, 3_000)))
    sender.grpc(encoded_request(picture(4_000, 4_000)))
    sender.grpc(encoded_request(b"\xff\xd8" + b"\xff\xe0\0\2" * 10**6))
    path = "/v1/models/lgcnet:predict"
    for body in (b"[" * 10**6, b'{"instances": [' + b"{}," * 10**7, b"1" * 10**6):
        sender.rest(path, body)
    bomb = gzip.compress(bytes(2**28))
    sender.rest(path, bomb, {"Content-Encoding": "gzip"})
    sender.finish()


def fuzz(sender, number, seed=0):
    """Sends so many requests that Hypothesis makes up."""
    import hypothesis
    from hypothesis import strategies as st

    whole = [
        encoded_request(picture(20, 10)),
        encoded_request(picture(20, 10, "JPEG"), picture(5, 30)),
        request_of("", "images", 4, (1, *SIZE, 3), int_val=[1]),
        request_of("classes", "query", 3, (1,), int_val=[0]),
    ]
    names = st.sampled_from(["", "lgcnet", "encoded", "images", "serving_default", "x"])
    side = st.one_of(
        st.integers(-1, 20), st.sampled_from([*SIZE, 3, 2**31, 2**62]), st.integers()
    ).filter(lambda n: -(2**63) <= n < 2**63)
    files = st.sampled_from([picture(9, 7), picture(9, 7, "JPEG"), b""])
    fields = st.fixed_dictionaries(
        {},
        optional={
            "int_val": st.lists(st.integers(-(2**31), 2**31 - 1), max_size=4),
            "float_val": st.lists(st.floats(width=32), max_size=4),
            "string_val": st.lists(
                st.one_of(files, st.binary(max_size=40)), max_size=4
            ),
            "tensor_content": st.binary(max_size=40),
        },
    )
    made = st.builds(
        lambda signature, name, dtype, shape, fields: request_of(
            signature, name, dtype, shape, **fields
        ),
        names, names, st.sampled_from([0, 1, 3, 4, 7, 7, 99]),
        st.lists(side, max_size=4), fields,
    )  # fmt: skip
    change = st.tuples(st.integers(0, 10**6), st.integers(0, 4), st.binary(max_size=6))

    def changed(body, changes):
        body = bytearray(body)
        for place, cut, new in changes:
            place %= len(body) + 1
            body[place : place + cut] = new
        return bytes(body)

    altered = st.builds(
        changed, st.sampled_from(whole), st.lists(change, min_size=1, max_size=4)
    )
    values = st.recursive(
        st.one_of(st.integers(), st.floats(), st.text(max_size=5), st.none()),
        lambda inner: st.lists(inner, max_size=4),
        max_leaves=8,
    )
    rest_bodies = st.one_of(
        st.binary(max_size=60),
        st.fixed_dictionaries(
            {},
            optional={"instances": values, "inputs": values, "signature_name": names},
        ).map(lambda value: json.dumps(value).encode()),
    )
    paths = st.sampled_from(["lgcnet:predict", "x:predict", "lgcnet:classify", "%00"])
    anything = st.one_of(
        st.tuples(st.sampled_from(METHODS), st.one_of(made, altered)),
        st.tuples(st.sampled_from(METHODS), st.one_of(altered, st.binary())),
        st.tuples(paths.map("/v1/models/".__add__), rest_bodies),
    )

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=number,
        database=None,
        deadline=None,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(anything)
    def send(case):
        where, body = case
        (sender.rest if where.startswith("/v1") else lambda w, b: sender.grpc(b, w))(
            where, body
        )

    started = sender.requests
    while sender.requests < started + number:
        before = sender.requests
        send()
        if sender.requests == before:
            break
    sender.finish()


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="2,000 requests")
    parser.add_argument("--requests", type=int, default=50_000, help="made up")
    parser.add_argument("--model", default="", help="a folder of exported versions")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if not options.model:
            export_model(folder)
        target = Target(options.model or folder)
        try:
            sender = Sender(target)
            for _ in range(16):
                sender.grpc(encoded_request(picture(160, 96, "JPEG")))
                sender.finish()
            idle = target.resident()
            target.peak, target.limit = idle, 1.5 * idle
            known_cases(sender)
            print(f"known cases: {dict(sender.statuses)}", flush=True)
            fuzz(sender, 2_000 if options.quick else options.requests)
            target.alive()
        finally:
            target.process.send_signal(signal.SIGTERM)
            target.process.wait()
    print(f"all: {dict(sender.statuses)}", flush=True)
    print(
        json.dumps(
            {
                "requests": sender.requests,
                "answered": sender.requests - sender.lost,
                "lost": sender.lost,
                "crashes": target.crashes,
                "peak_mb": round(target.peak, 1),
                "idle_mb": round(idle, 1),
            }
        )
    )


if __name__ == "__main__":
    main()
