"""Events as TensorBoard itself reads them."""

import io

import numpy as np
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from lgcnet_tf.events import Events


def read(folder):
    return EventAccumulator(str(folder), size_guidance={"images": 0}).Reload()


def picture(height=4, width=6):
    return np.arange(height * width * 3, dtype=np.uint8).reshape(height, width, 3)


def test_scalars_and_pictures(tmp_path):
    events = Events(tmp_path)
    assert not any(tmp_path.iterdir())
    png = io.BytesIO()
    Image.fromarray(picture(3, 5)).save(png, format="png")
    events.scalars(1, {"loss": 0.5, "count": 2, "text": "no", "yes": True})
    events.images(1, {"array": picture(), "file": png.getvalue()})
    found = read(tmp_path)
    assert set(found.Tags()["scalars"]) == {"loss", "count"}
    assert set(found.Tags()["images"]) == {"array", "file"}
    for tag, size in {"array": (4, 6), "file": (3, 5)}.items():
        (image,) = found.Images(tag)
        assert (image.step, image.height, image.width) == (1, *size)
        back = np.asarray(Image.open(io.BytesIO(image.encoded_image_string)))
        np.testing.assert_array_equal(back, picture(*size))


def test_a_restart_voids_what_is_done_again(tmp_path):
    first = Events(tmp_path)
    for step in (1, 2, 3):
        first.scalars(step, {"loss": step})
        first.images(step, {"cells": picture()})
    first.close()
    second = Events(tmp_path)
    second.restart(3)
    second.scalars(3, {"loss": 30})
    second.images(3, {"cells": picture()})
    second.close()
    found = read(tmp_path)
    assert [(e.step, e.value) for e in found.Scalars("loss")] == [
        (1, 1),
        (2, 2),
        (3, 30),
    ]
    assert [e.step for e in found.Images("cells")] == [1, 2, 3]


def test_a_graph(tmp_path):
    events = Events(tmp_path)
    events.graph([("images", "images", ()), ("cell_0/conv", "conv_3x3", ["images"])])
    events.close()
    found = EventAccumulator(str(tmp_path)).Reload().Graph()
    assert [(n.name, n.op, [*n.input]) for n in found.node] == [
        ("images", "images", []),
        ("cell_0/conv", "conv_3x3", ["images"]),
    ]
