"""A small network, its SavedModel and a server of it on a real socket."""

import io

import keras
import numpy as np
import pytest
from PIL import Image

from lgcnet_tf.data import DatasetInfo
from lgcnet_tf.serving.client import Client
from lgcnet_tf.serving.export import export_saved_model
from lgcnet_tf.serving.server import Server

SIZE = (24, 40)


@pytest.fixture(scope="session")
def info():
    palette = np.array(
        [(128, 64, 128), (70, 70, 70), (70, 130, 180), (0, 0, 142), (9, 8, 7)],
        np.uint8,
    )
    return DatasetInfo("five", ("road", "house", "sky", "car", "cat"), palette)


@pytest.fixture(scope="session")
def network():
    initializer = keras.initializers.RandomNormal(stddev=1.0, seed=3)
    return keras.Sequential(
        [
            keras.Input((*SIZE, 3), dtype="uint8"),
            keras.layers.Rescaling(1 / 127.5, offset=-1.0),
            keras.layers.Conv2D(5, 3, padding="same", kernel_initializer=initializer),
        ]
    )


@pytest.fixture(scope="session")
def base_path(network, info, tmp_path_factory):
    base = tmp_path_factory.mktemp("model")
    export_saved_model(network, base, info, scores=True, metadata={"miou": 0.5})
    return base


@pytest.fixture(scope="session")
def server(base_path):
    with Server({"lgcnet": base_path}, port=0) as running:
        yield running


@pytest.fixture
def client(server):
    with Client(server.target, "lgcnet", timeout_s=20) as connected:
        yield connected


@pytest.fixture(scope="session")
def live_mask(network):
    """The in-process answer: uint8 images -> uint8 mask."""

    def predict(images):
        logits = network.predict_on_batch(images)
        return np.argmax(logits, axis=-1).astype(np.uint8)

    return predict


@pytest.fixture(scope="session")
def images():
    """Two smooth uint8 pictures of the network's size."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (2, 6, 10, 3), dtype=np.uint8)
    return np.stack(
        [
            np.asarray(Image.fromarray(one).resize(SIZE[::-1], Image.BILINEAR))
            for one in coarse
        ]
    )


@pytest.fixture(scope="session")
def encode():
    """(image, format) -> the file's bytes."""

    def encode_image(image, image_format):
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, image_format)
        return buffer.getvalue()

    return encode_image
