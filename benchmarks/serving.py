"""How fast the server answers, and what it loses under load and swaps.

Exports the zoo's network for 360x480 pictures and compares `lgcnet-serve` with the
same SavedModel called in this process: the median and the 99th percentile of gRPC
and REST, of raw pixels and PNG files, for 1, 4 and 16 clients, with batching and
without. Then it puts the server under load while a new version appears every ten
seconds, one client stalls and one sends garbage; at last another process asks for its
health while 64 clients wait.

    python benchmarks/serving.py --quick

`--quick` compares one client without batching alone and loads the server for 60 s
instead of ten minutes; `--clients`, `--load_s`, `--swap_s`, `--calls` and
`--health_calls` say otherwise. Ends in one line of JSON: `grpc_raw_p50_ratio`,
`grpc_encoded_p50_ratio` and `rest_p50_ratio` (one client without batching, PNG files
over REST, over in-process), `sent`, of which `answered`, `refused` (no room, or cut as
the stalled ones) and `lost`, `swaps`, `health_p99_ms`, the server's resident MiB
`start_mb` and `end_mb`, `start_s`, seconds from its start until it serves, `calls` of
each kind and, for each way of asking and number of clients, `over_in_process`, the
ratios of medians and 99th percentiles.
"""

import argparse
import base64
import collections
import concurrent.futures
import contextlib
import http.client
import itertools
import json
import multiprocessing
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading
import time

import numpy as np
from serving_hostile import PREDICT, encoded_request, free_port, picture, request_of

SIZE = (360, 480)
DEADLINE_S = 60.0
REFUSED = ("RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED", "INVALID_ARGUMENT")
REST_REFUSED = (400, 429, 504)


class Served:
    """A process of lgcnet-serve."""

    def __init__(self, model, *flags):
        self.port, self.rest_port = free_port(), free_port()
        started = time.perf_counter()
        self.process = subprocess.Popen(
            [
                sys.executable, "-m", "lgcnet_tf.bin.serve", f"--model={model}",
                f"--port={self.port}", f"--rest_api_port={self.rest_port}", *flags,
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        if not self.process.stdout.readline().startswith(b"Serving"):
            raise SystemExit("The server did not start.")
        self.start_s = time.perf_counter() - started

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def resident(self):
        """MiB."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024

    def channel(self):
        import grpc

        unlimited = [
            ("grpc.max_send_message_length", -1),
            ("grpc.max_receive_message_length", -1),
            ("grpc.use_local_subchannel_pool", 1),  # a connection of its own
        ]
        return grpc.insecure_channel(f"127.0.0.1:{self.port}", unlimited)


def export_model(folder):
    """The zoo's network as the first version below `folder`."""
    from lgcnet_tf.data import dataset_info
    from lgcnet_tf.model.deploy import deploy
    from lgcnet_tf.model.zoo import load_network
    from lgcnet_tf.serving.export import export_saved_model

    network = deploy(load_network("lgcnet_camvid", SIZE))
    return export_saved_model(network, folder, dataset_info("camvid"), 1, False)


def bodies():
    """Pixels and a PNG file as serialised messages, and both as JSON."""
    file = picture(SIZE[1], SIZE[0])
    raw = request_of("", "images", 4, (1, *SIZE, 3), tensor_content=bytes(3 * SIZE[0] * SIZE[1]))  # fmt: skip
    coded = base64.b64encode(file).decode()
    values = {"signature_name": "encoded", "instances": [{"b64": coded}]}
    pixels = {"instances": np.zeros((1, *SIZE, 3), int).tolist()}
    rest = (json.dumps(one).encode() for one in (pixels, values))
    return raw, encoded_request(file), *rest


def in_process(folder, calls):
    """Milliseconds of each call of the SavedModel here, raw and encoded."""
    import tensorflow as tf

    signatures = tf.saved_model.load(str(folder)).signatures
    images = tf.zeros((1, *SIZE, 3), tf.uint8)
    files = tf.constant([picture(SIZE[1], SIZE[0])])
    return (
        timed(lambda: signatures["serving_default"](images=images)["mask"].numpy(), calls),
        timed(lambda: signatures["encoded"](encoded=files)["mask"].numpy(), calls),
    )  # fmt: skip


def timed(call, calls, clients=1):
    """Milliseconds of each call, with so many threads that call in turns."""
    found, numbers = [], itertools.count()

    def ask():
        while next(numbers) < calls + clients:
            started = time.perf_counter()
            call()
            found.append((time.perf_counter() - started) * 1e3)

    call()
    threads = [threading.Thread(target=ask) for _ in range(clients)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    return found


def percentiles(times):
    return [round(float(np.percentile(times, q)), 1) for q in (50, 99)]


def over_the_wire(served, calls, clients):
    """Milliseconds by kind of request."""
    raw, encoded, *rest = bodies()
    with served.channel() as channel:
        predict = channel.unary_unary(PREDICT)
        return {
            "grpc raw": timed(lambda: predict(raw, timeout=DEADLINE_S), calls, clients),
            "grpc encoded": timed(lambda: predict(encoded, timeout=DEADLINE_S), calls, clients),
            "rest raw": timed(lambda: post(served, rest[0]), calls, clients),
            "rest encoded": timed(lambda: post(served, rest[1]), calls, clients),
        }  # fmt: skip


def post(served, body):
    connection = http.client.HTTPConnection(
        "127.0.0.1", served.rest_port, timeout=DEADLINE_S
    )
    with contextlib.closing(connection):
        connection.request("POST", "/v1/models/lgcnet:predict", body)
        answer = connection.getresponse()
        answer.read()
        return answer.status


class Load:
    """Clients that ask until they are told to stop, and what became of it."""

    def __init__(self, served):
        self.served = served
        self.counts = collections.Counter()
        self._lock, self._stop = threading.Lock(), threading.Event()
        self._threads = []

    def start(self, ask, clients=1):
        """Starts clients; `ask(channel)` gives "answered" or "refused"."""

        def work():
            with self.served.channel() as channel:
                while not self._stop.is_set():
                    what = self._outcome(ask, channel)
                    with self._lock:
                        self.counts.update(("sent", what))

        started = [threading.Thread(target=work) for _ in range(clients)]
        self._threads += started
        for each in started:
            each.start()

    def stop(self):
        self._stop.set()
        for each in self._threads:
            each.join()

    def _outcome(self, ask, channel):
        import grpc

        try:
            return ask(channel)
        except grpc.RpcError as error:
            if error.code().name in REFUSED:
                return "refused"
            print(f"lost: {error.code().name} {error.details()}", file=sys.stderr)
        except OSError as error:
            print(f"lost: {error!r}", file=sys.stderr)
        return "lost"


def under_load(served, base, seconds, swap_s):
    """Counts of a load with swaps, a client that stalls and one that sends garbage."""
    raw, encoded, _, rest = bodies()
    noise = np.random.default_rng(0)

    def send(body):
        def ask(channel):
            channel.unary_unary(PREDICT)(body, timeout=DEADLINE_S)
            return "answered"

        return ask

    def ask_rest(channel):
        status = post(served, rest)
        if status != 200 and status not in REST_REFUSED:
            raise OSError(f"status {status}")
        return "answered" if status == 200 else "refused"

    def garbage(channel):
        time.sleep(0.05)
        return send(noise.bytes(1000))(channel)

    def stall(channel):
        release = threading.Event()
        messages = (release.wait(DEADLINE_S) and b"" for _ in range(1))
        try:
            channel.stream_unary(PREDICT)(messages, timeout=DEADLINE_S)
        finally:
            release.set()
        return "answered"

    load = Load(served)
    for ask, clients in (
        (send(raw), 2), (send(encoded), 2), (ask_rest, 1), (garbage, 1), (stall, 1)
    ):  # fmt: skip
        load.start(ask, clients)
    end, swaps = time.monotonic() + seconds, 0
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(swap_s, left))
        if end - time.monotonic() > swap_s / 2:
            swaps += 1
            swap(base, 1 + swaps)
    load.stop()
    return load.counts, swaps


def swap(base, version):
    """Lets the next version appear whole and the last one go."""
    hidden = base / f".{version}-new"
    shutil.copytree(base / str(version - 1), hidden)
    hidden.rename(base / str(version))
    if version > 2:
        shutil.rmtree(base / str(version - 2))


def health(served, calls):
    """Milliseconds of each health check while 64 clients wait for predictions."""
    _, encoded, *_ = bodies()
    load = Load(served)

    def ask(channel):
        channel.unary_unary(PREDICT)(encoded, timeout=DEADLINE_S)
        return "answered"

    load.start(ask, 64)
    try:
        time.sleep(2)
        own_process = concurrent.futures.ProcessPoolExecutor(
            1, multiprocessing.get_context("spawn")
        )
        with own_process:
            return own_process.submit(health_checks, served.port, calls).result()
    finally:
        load.stop()


def health_checks(port, calls):
    """Milliseconds of each, as a probe in a process of its own sees them."""
    import grpc
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        request = health_pb2.HealthCheckRequest()
        found = []
        for _ in range(calls + 1):
            started = time.perf_counter()
            stub.Check(request, timeout=DEADLINE_S)
            found.append((time.perf_counter() - started) * 1e3)
            time.sleep(0.02)
        return found[1:]  # the first opened the connection


def compare(name, found, alone):
    """Prints the milliseconds of each kind and gives their ratios to in-process."""
    ratios = {}
    for kind, times in found.items():
        mine, basis = percentiles(times), percentiles(alone[kind.split()[1]])
        ratios[f"{name}, {kind}"] = [round(a / b, 2) for a, b in zip(mine, basis)]
        print(f"{name}, {kind}: {mine} ms", flush=True)
    return ratios


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="one client, 60 s of load")
    parser.add_argument("--calls", type=int, default=0, help="of each kind")
    parser.add_argument(
        "--clients", default="", help="how many, commas between; 1,4,16"
    )
    parser.add_argument("--load_s", type=float, default=0, help="seconds of load")
    parser.add_argument(
        "--swap_s", type=float, default=10, help="seconds between swaps"
    )
    parser.add_argument("--health_calls", type=int, default=0, help="under 64 clients")
    options = parser.parse_args()
    calls = options.calls or (30 if options.quick else 200)
    load_s = options.load_s or (60 if options.quick else 600)
    health_calls = options.health_calls or (100 if options.quick else 500)
    numbers = sorted({1, *map(int, (options.clients or "1,4,16").split(","))})
    if options.quick:
        numbers = [1]
    ratios = {}
    with tempfile.TemporaryDirectory() as folder:
        base = pathlib.Path(folder, "saved_model")
        alone = dict(zip(("raw", "encoded"), in_process(export_model(base), calls)))
        print("in-process", {k: percentiles(v) for k, v in alone.items()}, flush=True)
        batching = pathlib.Path(folder, "batching.config")
        batching.write_text("max_batch_size { value: 4 }\nbatch_timeout_micros { value: 2000 }\n")  # fmt: skip
        if not options.quick:
            with Served(base, f"--batching_parameters_file={batching}") as served:
                for clients in numbers:
                    found = over_the_wire(served, calls, clients)
                    ratios |= compare(f"batching, {clients}", found, alone)
        with Served(base) as served:
            for clients in numbers:
                found = over_the_wire(served, calls, clients)
                ratios |= compare(f"single, {clients}", found, alone)
            start_mb = served.resident()
            counts, swaps = under_load(served, base, load_s, options.swap_s)
            end_mb = served.resident()
            print(f"load: {dict(counts)}, {swaps} swaps", flush=True)
            waits = health(served, health_calls)
            start_s = served.start_s
    print(
        json.dumps(
            {
                "grpc_raw_p50_ratio": ratios["single, 1, grpc raw"][0],
                "grpc_encoded_p50_ratio": ratios["single, 1, grpc encoded"][0],
                "rest_p50_ratio": ratios["single, 1, rest encoded"][0],
                "sent": counts["sent"],
                "answered": counts["answered"],
                "refused": counts["refused"],
                "lost": counts["lost"],
                "swaps": swaps,
                "health_p99_ms": percentiles(waits)[1],
                "start_mb": round(start_mb, 1),
                "end_mb": round(end_mb, 1),
                "start_s": round(start_s, 1),
                "calls": calls,
                "over_in_process": ratios,
            }
        )
    )


if __name__ == "__main__":
    main()
