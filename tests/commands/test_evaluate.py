"""`lgcnet-evaluate`: each figure is of what the results say it is of."""

import dataclasses
import json
import pathlib

import keras
import numpy as np
import pytest
from PIL import Image

from lgcnet_tf.commands.evaluate import (
    EvaluateOptions,
    _latency_by_part,
    _predicted_latency,
    evaluate_model,
)
from lgcnet_tf.data import load_samples
from lgcnet_tf.errors import InputError
from lgcnet_tf.evaluation.evaluate import predict_samples
from lgcnet_tf.evaluation.model_files import card_path
from lgcnet_tf.evaluation.models import load_model
from lgcnet_tf.model.class_map import ClassMap
from lgcnet_tf.model.deploy import deploy
from lgcnet_tf.model.zoo import load_genotype, load_network
from lgcnet_tf.runtimes import get_runtime
from lgcnet_tf.runtimes.representative import images_of_training_split

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="needs Keras on TensorFlow"
)


@pytest.fixture
def options(trained, tmp_path):
    return EvaluateOptions(
        model=str(trained), output_dir=str(tmp_path / "run"), repeats=2, examples=1
    )


def counted(predict, size):
    """mIoU of masks by a count of pixels, without `evaluate`."""
    hits, either = np.zeros(8), np.zeros(8)
    samples = load_samples("toy_streets", "val")
    for sample, mask in predict_samples(predict, samples, 1, size):
        known = sample.label != 255
        for index in range(8):
            true, found = (sample.label == index) & known, (mask == index) & known
            hits[index] += (true & found).sum()
            either[index] += (true | found).sum()
    return (hits[either > 0] / either[either > 0]).mean()


@pytest.mark.parametrize(
    "runtime, precision, batch_size",
    [
        ("onnxruntime", "int8", 1),
        ("onnxruntime", "float16", 1),
        ("tensorflow_graph", "bfloat16", 5),
        ("keras_backend", "float32", 5),
    ],
)
def test_accuracy_is_of_what_is_timed(options, trained, runtime, precision, batch_size):
    if runtime == "onnxruntime":
        pytest.importorskip("onnxruntime")
        pytest.importorskip("tf2onnx")
    options = dataclasses.replace(
        options, runtime=runtime, precision=precision, batch_size=batch_size
    )
    results = evaluate_model(options)
    images = ()
    if precision == "int8":
        images = images_of_training_split("toy_streets", "", "minmax")
    own = get_runtime(runtime, precision=precision, images=images)
    compiled = own.compile(
        ClassMap(deploy(load_network(trained))), (1, 32, 64, 3), "uint8"
    )
    expected = counted(lambda images: np.asarray(compiled.predict(images)), (32, 64))
    assert results["miou"] == pytest.approx(
        expected, rel=1e-3 if batch_size > 1 else 1e-9
    )
    if precision == "int8":
        float32 = counted(load_model(str(trained)).predict_mask, (32, 64))
        assert results["miou"] != pytest.approx(float32, rel=1e-6)
    common = {
        "runtime": runtime,
        "precision": precision,
        "calibration": "minmax of 32 training images of toy_streets"
        if precision == "int8"
        else None,
    }
    assert results["measured_on"] == {
        "accuracy": {**common, "batch_size": batch_size},
        "latency": {**common, "batch_size": 1},
    }


def test_int8_is_of_one_batch(options):
    with pytest.raises(InputError, match="leave out --batch_size=2"):
        evaluate_model(
            dataclasses.replace(
                options, runtime="onnxruntime", precision="int8", batch_size=2
            )
        )


def test_files_say_their_precision(options, exported):
    results = evaluate_model(dataclasses.replace(options, model=str(exported["onnx"])))
    latency = results["measured_on"]["latency"]
    assert (latency["runtime"], latency["precision"]) == ("onnxruntime", "float32")
    assert results["measured_on"]["accuracy"]["runtime"] == "onnxruntime"
    log = pathlib.Path(options.output_dir, "log.txt").read_text()
    assert log.rstrip().endswith("/run/report.html (figures in results.json)")
    card = card_path(exported["onnx"])
    text = card.read_text()
    try:
        card.unlink()
        model = load_model(str(exported["onnx"]))
        found = model.precision_of(model.compile(get_runtime("onnxruntime")))
        assert found == "as the file was made"
    finally:
        card.write_text(text)


def test_a_genotype_has_no_accuracy(options, trained, tmp_path, capsys):
    path = tmp_path / "genotype.json"
    load_genotype(trained).save(path)
    options = dataclasses.replace(options, model=str(path), input_size=(32, 64))
    with pytest.raises(InputError, match="--submission writes files of Cityscapes"):
        evaluate_model(dataclasses.replace(options, submission=True))
    results = evaluate_model(options)
    assert results["weights"] == "random"
    for name in ("miou", "pixel_accuracy", "per_class_iou"):
        assert results[name] is None
    assert results["measured_on"]["accuracy"] is None
    assert results["latency_ms"] > 0 and results["params"] > 0 and results["macs"] > 0
    log = pathlib.Path(options.output_dir, "log.txt").read_text()
    assert "a genotype has no weights; the network's are random" in log
    assert not pathlib.Path(options.output_dir, "examples").exists()


def check_what_is_kept_of_the_images(folder, results):
    """The confusion matrix and the best and worst images are those of the masks."""
    kept = json.loads((folder / "accuracy.json").read_text())
    counts = np.array(kept["confusion"])
    hits = np.diag(counts)
    union = counts.sum(0) + counts.sum(1) - hits
    for name, hit, either in zip(kept["class_names"], hits, union):
        found = results["per_class_iou"][name]
        assert found == (pytest.approx(hit / either) if either else None)
    samples = load_samples("toy_streets", "val")
    assert counts.sum() == sum((sample.label != 255).sum() for sample in samples)
    order = sorted(kept["images"], key=lambda one: -one["miou"])
    assert len(order) == len(samples)
    assert kept["best"] == [one["name"] for one in order[:3]]
    assert kept["worst"] == [one["name"] for one in order[:-4:-1]]
    for kind in ("best", "worst"):
        for name in kept[kind]:
            place = folder / kind / name.replace("/", "-")
            mask = np.asarray(Image.open(f"{place}_prediction.png"))
            label = np.asarray(Image.open(f"{place}_label.png"))
            (score,) = (one for one in order if one["name"] == name)
            right = (mask == label)[label != 255].mean()
            assert score["pixel_accuracy"] == pytest.approx(right)
    page = (folder / "report.html").read_text()
    assert kept["worst"][0].replace("/", "-") in page and "Confusion matrix" in page


def test_goes_on_only_with_the_same_model(options, trained, tmp_path):
    model = tmp_path / "model.keras"
    model.write_bytes(trained.read_bytes())
    options = dataclasses.replace(options, model=str(model))
    results = evaluate_model(options)
    folder = pathlib.Path(options.output_dir)
    check_what_is_kept_of_the_images(folder, results)
    (folder / "results.json").unlink()
    assert set(json.loads((folder / "inputs.json").read_text())) == {
        "split val of toy_streets", "classes of toy_streets", "--model",
    }  # fmt: skip
    network = load_network(trained)
    network.set_weights([-w for w in network.get_weights()])
    network.save(model)
    with pytest.raises(InputError, match=f"--model: {model} changed"):
        evaluate_model(options)


def test_a_prediction_names_its_table(options, make_table, tmp_path):
    model = load_model(options.model)
    assert _predicted_latency(model, options) == (None, None)  # it was not searched
    table = make_table(model.genotype.skeleton, (32, 64))
    table.save(tmp_path / "table.json")
    options = dataclasses.replace(options, latency_table=str(tmp_path / "table.json"))
    predicted_ms, by = _predicted_latency(model, options)
    assert predicted_ms > 0
    parts = _latency_by_part(model, options)
    assert sum(parts.values()) == pytest.approx(predicted_ms)
    assert list(parts)[0] == "stem" and list(parts)[-2:] == ["fusion", "head"]
    assert by == {
        "latency_table": table.table_id, "device": "a device",
        "runtime": "tensorflow_graph", "precision": "float32", "threads": 2,
    }  # fmt: skip
