import json
import shutil

import numpy as np
import pytest

from lgcnet_tf.commands.export import ExportOptions, export
from lgcnet_tf.data import dataset_info
from lgcnet_tf.data.geometry import FITS
from lgcnet_tf.errors import InputError
from lgcnet_tf.evaluation.evaluate import mask_function
from lgcnet_tf.evaluation.model_files import card_path
from lgcnet_tf.evaluation.models import load_model
from lgcnet_tf.model.class_map import ClassMap
from lgcnet_tf.model.deploy import deploy
from lgcnet_tf.model.network import Network
from lgcnet_tf.model.zoo import load_network
from lgcnet_tf.runtimes import get_runtime
from lgcnet_tf.runtimes.representative import (
    RepresentativeImages,
    images_of_training_split,
)
from lgcnet_tf.serving.export_files import export_file
from lgcnet_tf.serving.settings import FORMATS
from lgcnet_tf.space.genotype import random_genotype


class Unconverted:
    """Stands where nothing may be converted any more."""

    input_size = (8, 8)


def test_card_beside_the_file(exported_files):
    for name, path in exported_files.items():
        card = json.loads(path.with_name(f"{path.name}.json").read_text())
        assert card["class_names"] == list(dataset_info("toy_streets").class_names)
        assert card["input_size"] == [32, 64] and card["batch_size"] == 2
        assert card["metadata"] == {"params": 7} and card["fit"] == "tile"
        suffixes = {".json", path.suffix} | ({".bin"} if name == "openvino" else set())
        assert {p.suffix for p in path.parent.iterdir()} == suffixes


@pytest.mark.parametrize("name", FORMATS)
def test_no_file_is_overwritten(name, exported_files):
    path = exported_files[name]
    before = path.read_bytes()
    with pytest.raises(InputError, match=f"{path.name}: exists already"):
        export_file(Unconverted(), path.parent, dataset_info("toy_streets"), name)
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", ["model.bin", "model.xml.json"])
def test_nor_is_one_beside_it(name, tmp_path):
    (tmp_path / name).write_text("{}")
    with pytest.raises(InputError, match=f"{name}: exists already"):
        export_file(Unconverted(), tmp_path, dataset_info("toy_streets"), "openvino")
    assert (tmp_path / name).read_text() == "{}"


def test_formats_in_one_folder_keep_their_cards(exported_files, tmp_path):
    """Each is read with its own card; one card for both is refused."""
    kinds = {}
    for name in ("onnx", "litert"):
        path = exported_files[name]
        for file in path.parent.iterdir():
            shutil.copy(file, tmp_path)
        path = kinds[name] = tmp_path / path.name
        card = json.loads(card_path(path).read_text())
        card_path(path).write_text(json.dumps(card | {"fit": FITS[len(kinds)]}))
    assert [load_model(str(path)).fit for path in kinds.values()] == list(FITS[1:])
    old = tmp_path / "model.json"
    card = json.loads(card_path(kinds["onnx"]).read_text())
    del card["fit"]  # so it was before there was one
    old.write_text(json.dumps(card))
    card_path(kinds["onnx"]).unlink()
    found = load_model(str(kinds["onnx"]))  # the other one has a card
    assert (found.fit, found.params) == ("stretch", 7)
    card_path(kinds["litert"]).unlink()
    with pytest.raises(InputError, match="model.json: of model.onnx or of model.tfl"):
        load_model(str(kinds["onnx"]))
    kinds["litert"].unlink()
    assert load_model(str(kinds["onnx"])).class_names == tuple(card["class_names"])


@pytest.mark.parametrize("name", FORMATS)
def test_files_in_a_folder_with_brackets_can_be_loaded(name, network, tmp_path):
    folder, info = tmp_path / "a[1]*?", dataset_info("toy_streets")
    path = export_file(network, folder, info, name)
    loaded = load_model(str(path))
    assert loaded.predict_mask(np.zeros((1, 32, 64, 3), np.uint8)).shape == (1, 32, 64)
    with pytest.raises(InputError, match="class 0 is road, that of camvid is Sky"):
        loaded.check_classes(dataset_info("camvid"))
    loaded.check_classes(info)


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"format": "onnx", "scores": True}, "for --format=saved_model"),
        ({"format": "litert", "version": 3}, "for --format=saved_model"),
        ({"batch_size": 2}, "a SavedModel takes any batch"),
        ({"format": "torch"}, "--format must be one of saved_model, onnx"),
    ],
)
def test_options_that_do_nothing_are_refused(wrong, message):
    with pytest.raises(InputError, match=message):
        export(ExportOptions(model="lgcnet_camvid", **wrong))


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"format": "saved_model", "precision": "int8"}, "computes in float32"),
        ({"format": "litert", "precision": "float16"}, "not in float16"),
        ({"format": "onnx", "precision": "bfloat16"}, "not in bfloat16"),
        ({"format": "openvino", "precision": "float16"}, "setting of the runtime"),
        ({"format": "onnx", "data_dir": "x"}, "--data_dir is for --precision=int8"),
        ({"format": "onnx", "calibration_method": "entropy"}, "--precision=int8"),
    ],
)
def test_precisions_that_a_format_lacks(wrong, message, trained, tmp_path):
    for package in ("onnxruntime", "openvino", "ai_edge_litert"):
        pytest.importorskip(package)
    options = ExportOptions(
        model=str(trained),
        dataset="toy_streets",
        output_dir=str(tmp_path / "out"),
        **wrong,
    )
    with pytest.raises(InputError, match=message) as error:
        export(options)
    assert "\n" not in str(error.value) and not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "format, name, precision",
    [
        ("onnx", "onnxruntime", "float16"),
        ("onnx", "onnxruntime", "int8"),
        ("openvino", "openvino", "int8"),
        ("litert", "litert", "int8"),
    ],
)
def test_the_file_is_what_the_runtime_runs(
    format, name, precision, small_skeleton, randomise, tmp_path, monkeypatch
):
    pytest.importorskip({"litert": "ai_edge_litert.interpreter"}.get(name, name))
    network = small_network(small_skeleton, randomise)
    pixels = np.random.default_rng(0).integers(0, 256, (4, 32, 64, 3), np.uint8)
    pictures = RepresentativeImages.of(pixels)
    runtime = get_runtime(name, precision=precision, images=pictures)
    converted, convert = [], type(runtime).convert

    def recorded(*arguments):
        converted.append(convert(*arguments))
        return converted[-1]

    monkeypatch.setattr(type(runtime), "convert", recorded)
    path = export_file(
        network, tmp_path, dataset_info("camvid"), format, 1, None, precision, pictures
    )
    card = json.loads(card_path(path).read_text())
    assert card["precision"] == precision
    source = "minmax of 4 images" if precision == "int8" else None
    assert card["calibration"] == source
    (content,) = converted
    if format != "openvino":
        assert path.read_bytes() == content
    measured, written = runtime.load(content), get_runtime(name).load(path)
    for image in pictures.batches((1, 32, 64, 3)):
        np.testing.assert_array_equal(written.predict(image), measured.predict(image))


def test_eight_bits_agree_with_float32():
    """The zoo's network, at a small size, on pictures of streets."""
    pytest.importorskip("onnxruntime")
    trained = load_network("lgcnet_camvid", (64, 96))
    known = trained.genotype.classes.class_names
    assert known == dataset_info("camvid").class_names
    network = deploy(trained)
    pictures = images_of_training_split("toy_streets", "", "minmax")
    pictures = RepresentativeImages.of([pictures[index] for index in range(0, 32, 4)])
    runtime = get_runtime("onnxruntime", precision="int8", images=pictures)
    segment = runtime.compile(ClassMap(network), (1, 64, 96, 3), "uint8")
    exact, shares = mask_function(network), []
    for image in pictures.batches((1, 64, 96, 3)):
        shares.append((segment.predict(image) == exact(image)).mean())
    assert 0.9 < np.mean(shares) < 1.0


def small_genotype(small_skeleton):
    skeleton = small_skeleton(
        num_cells=2, reduction_cells=(1,), fusion="cas", fusion_taps=(0, 1)
    )
    return random_genotype(skeleton, np.random.default_rng(1))


def small_network(small_skeleton, randomise):
    genotype = small_genotype(small_skeleton)
    return randomise(Network(genotype.skeleton, (32, 64), genotype, "folded"))


@pytest.fixture(scope="module")
def network(small_skeleton):
    for package in ("onnxruntime", "openvino", "ai_edge_litert", "tf2onnx"):
        pytest.importorskip(package)
    genotype = small_genotype(small_skeleton)
    return Network(genotype.skeleton, (32, 64), genotype, "folded")


@pytest.fixture(scope="module")
def exported_files(network, tmp_path_factory):
    root, info = tmp_path_factory.mktemp("files"), dataset_info("toy_streets")
    return {
        name: export_file(
            network, root / name, info, name, 2, {"params": 7}, fit="tile"
        )
        for name in FORMATS
    }
