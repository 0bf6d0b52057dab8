"""Pictures in, masks out, without a server: the same as through one."""

import pathlib
import re

import numpy as np
import pytest
from PIL import Image

from lgcnet_tf.commands.predict import PredictOptions, predict
from lgcnet_tf.data import dataset_info
from lgcnet_tf.errors import InputError
from lgcnet_tf.serving.client import Client
from lgcnet_tf.serving.local_model import LocalModel
from lgcnet_tf.serving.server import Server

ROOT = pathlib.Path(__file__).parents[2]
README = ROOT / "docs" / "predict.md"


@pytest.fixture(scope="module")
def pictures(tmp_path_factory, images):
    """One of the network's size and one of another."""
    folder = tmp_path_factory.mktemp("pictures")
    for name, size in (("same.png", (64, 32)), ("large.jpg", (90, 70))):
        Image.fromarray(images[0]).resize(size, Image.BILINEAR).save(folder / name)
    return folder


@pytest.fixture(scope="module")
def served(exported, pictures):
    """What the client gets from a server, by the picture's name."""
    with Server({"lgcnet": exported["saved_model"]}, port=0) as server:
        with Client(server.target, "lgcnet", timeout_s=60) as client:
            return {
                path.name: client.predict_encoded([path.read_bytes()])[0]
                for path in pictures.iterdir()
            }


@pytest.mark.parametrize("kind", ["keras", "saved_model", "onnx", "openvino", "litert"])
def test_masks_are_those_of_a_server(kind, trained, exported, pictures, served):
    path = trained if kind == "keras" else exported[kind]
    with LocalModel(str(path)) as model:
        for name, expected in served.items():
            (mask,) = model.predict_encoded([(pictures / name).read_bytes()])
            assert mask.shape == expected.shape and mask.dtype == np.uint8
            # Another order of sums may change a pixel where two classes are alike.
            assert np.mean(mask == expected) > 0.99
    names = dataset_info("toy_streets").class_names
    if kind != "keras":  # this fixture's network does not know its classes
        assert model.classes().info.class_names == names


def test_the_command_writes_what_it_writes_with_a_server(exported, pictures, tmp_path):
    summary = predict(
        PredictOptions(
            model=str(exported["onnx"]), images=(str(pictures),),
            output_dir=str(tmp_path),
        )
    )  # fmt: skip
    assert {path.name for path in tmp_path.glob("*.png")} == {
        "same_mask.png", "same_overlay.png", "large_mask.png", "large_overlay.png"
    }  # fmt: skip
    palette = {tuple(map(int, c)) for c in dataset_info("toy_streets").palette}
    mask = np.asarray(Image.open(tmp_path / "large_mask.png"))
    assert mask.shape == (70, 90, 3)
    assert {tuple(map(int, c)) for c in mask.reshape(-1, 3)} <= palette
    assert [one["size"] for one in summary["files"]] == [[70, 90], [32, 64]]


def test_a_model_that_does_not_say_its_classes_takes_a_data_set(
    trained, pictures, tmp_path
):
    given = {"model": str(trained), "images": (str(pictures / "same.png"),)}
    with pytest.raises(InputError, match="--dataset"):
        predict(PredictOptions(**given, output_dir=str(tmp_path / "none")))
    predict(
        PredictOptions(
            **given, dataset="toy_streets", output_dir=str(tmp_path / "named")
        )
    )
    assert (tmp_path / "named" / "same_mask.png").exists()


def test_refuses(tmp_path, genotype):
    with pytest.raises(InputError, match="give one of them"):
        PredictOptions(model="lgcnet_camvid", server="far:8500").check()
    with pytest.raises(InputError, match="no such file"):
        LocalModel(str(tmp_path / "absent.onnx"))
    genotype.save(tmp_path / "genotype.json")
    with pytest.raises(InputError, match="a genotype has no weights"):
        LocalModel(str(tmp_path / "genotype.json"))


def test_twelve_lines_of_onnx_runtime(exported, pictures, tmp_path, monkeypatch):
    """The program of the page gives the mask in the model's colours."""
    program = re.search(r"```python\n(import json.*?)```", README.read_text(), re.S)[1]
    assert len(program.strip().splitlines()) <= 12
    assert "lgcnet_tf" not in program
    monkeypatch.chdir(tmp_path)
    for path in (exported["onnx"], exported["onnx"].with_name("model.onnx.json")):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    Image.open(pictures / "same.png").save("street.jpg", "PNG")
    exec(compile(program, "page", "exec"), {})
    found = np.asarray(Image.open("mask.png").convert("RGB"))
    (mask,) = LocalModel("model.onnx").predict_encoded(
        [(tmp_path / "street.jpg").read_bytes()]
    )
    np.testing.assert_array_equal(found, dataset_info("toy_streets").colorize(mask))
