"""Serving in production: versions, health, limits and metrics.

    python examples/serving.py

exports a network of the zoo and serves it in this process, as `lgcnet-serve` does in one
of its own. All that is shown here is TensorFlow Serving's protocol, so that the client
stays the same when TensorFlow Serving takes over; `serving/` has its Docker Compose and
Kubernetes files.
"""

# %% A model and a first version
# A server is given the folder of a model, and each export into it is a version.

import argparse
import http.client
import io
import json
import pathlib
import tempfile
import time

import numpy as np
from PIL import Image

import lgcnet_tf as lt

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--model", default="lgcnet_camvid", help="zoo name or .keras file")
asked = parser.parse_args()

folder = pathlib.Path(tempfile.mkdtemp())
network = lt.load(asked.model)
models = folder / "models"
lt.export(network, output_dir=folder / "first", export_dir=str(models))

# %% Start
# The server loads and warms up before it takes its ports: whoever reaches it gets an
# answer at full speed. Limits keep a single client from taking all memory; what is beyond
# one is refused with the name of the option. To other machines open it with TLS and a
# token only (`--ssl_certificate`, `--ssl_key`, `--token_file`).

server = lt.Server(
    {"streets": models}, port=0, rest_port=0, poll_wait_s=0.2, max_images=4
).start()
client = lt.Client(server.target, "streets")
print(f"version {client.wait_until_ready(60)} is ready on {server.target}")

# %% Ask
# Files go as they are; the served graph decodes them, turns them upright and brings them
# to the network's size, and the mask comes back at the picture's own size.

height, width = network.input_size
colours = np.random.default_rng(0).integers(0, 256, (4, 6, 3), np.uint8)
picture = Image.fromarray(colours).resize((width + 20, height + 10))
file = io.BytesIO()
picture.save(file, "PNG")
mask = client.predict_encoded([file.getvalue()])[0]
names = client.classes().info.class_names
print(
    f"mask of {mask.shape}; most of it is {names[np.bincount(mask.ravel()).argmax()]}"
)

# %% Health, over REST
# Load balancers ask for the model's status; it says AVAILABLE once the version is warm.


def get(path):
    connection = http.client.HTTPConnection("127.0.0.1", server.rest_port, timeout=60)
    connection.request("GET", path)
    body = connection.getresponse().read().decode()
    connection.close()
    return body


status = json.loads(get("/v1/models/streets"))["model_version_status"]
print("states:", {one["version"]: one["state"] for one in status})

# %% Another version, without a pause
# An export appears under its number when it is whole. The server loads it beside the old
# one, and requests go over when it is warm. To go back, remove the folder of the new one.

lt.export(network, output_dir=folder / "second", export_dir=str(models))
while client.metadata()["version"] != 2:
    client.predict_encoded([file.getvalue()])  # answered all the time
    time.sleep(0.1)
print("version 2 answers")

# %% Limits and metrics
# Prometheus scrapes requests by status, latencies, queue and batch sizes.

try:
    client.predict_encoded([file.getvalue()] * 5)
except lt.InputError as error:
    print(f"refused: {error}")
metrics = get("/monitoring/prometheus/metrics").splitlines()
print(
    "\n".join(line for line in metrics if line.startswith("lgcnet_serving_requests_"))
)

# %% Stop
# On SIGTERM `lgcnet-serve` says NOT_SERVING to health checks for `--lame_duck_s` and
# gives what is under way `--grace_s`; then it ends.

client.close()
server.stop(grace_s=5, lame_duck_s=0)
