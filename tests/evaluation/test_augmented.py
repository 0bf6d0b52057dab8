"""Flip and scales at test time, against plain NumPy."""

import dataclasses
import json
import pathlib

import keras
import numpy as np
import pytest
from PIL import Image

from lgcnet_tf.commands.evaluate import EvaluateOptions, evaluate_model
from lgcnet_tf.errors import InputError
from lgcnet_tf.evaluation.augmented import AugmentedMask
from lgcnet_tf.model.sizes import at_size
from lgcnet_tf.model.zoo import load_genotype, load_network


def softmax(x):
    exponents = np.exp(x - x.max(-1, keepdims=True))
    return exponents / exponents.sum(-1, keepdims=True)


def bilinear(x, size):
    """Between the centres of pixels, (height, width, channels) in float64."""
    for axis, count in enumerate(size):
        at = (np.arange(count) + 0.5) * x.shape[axis] / count - 0.5
        low = np.floor(at).astype(int)
        part = (at - low).reshape([-1 if a == axis else 1 for a in range(3)])
        ends = [np.clip(low + k, 0, x.shape[axis] - 1) for k in (0, 1)]
        x = (1 - part) * x.take(ends[0], axis) + part * x.take(ends[1], axis)
    return x


@pytest.mark.parametrize(
    "flip, scales", [(True, ()), (False, (0.75, 1.25)), (True, (0.5, 1.0))]
)
def test_masks_are_of_the_mean_probability(trained, images, flip, scales):
    network = load_network(trained)
    batch = images(32, 64, batch=2)
    probabilities = np.zeros((2, 32, 64, 8))
    for scale in scales or (1.0,):
        size = round(32 * scale), round(64 * scale)
        scaled = at_size(network, size)
        for row, image in enumerate(batch):
            resized = Image.fromarray(image).resize(
                size[::-1], Image.Resampling.BILINEAR
            )
            for mirrored in (False, True)[: 1 + flip]:
                given = np.asarray(resized)[:, :: -1 if mirrored else 1]
                soft = softmax(np.asarray(scaled(given[None]), "float64"))[0]
                soft = soft[:, :: -1 if mirrored else 1]
                probabilities[row] += bilinear(soft, (32, 64))
    found = AugmentedMask(network, flip, scales)(batch)
    assert found.dtype == np.uint8 and found.shape == (2, 32, 64)
    top = np.sort(probabilities, -1)
    sure = top[..., -1] - top[..., -2] > 1e-3
    assert sure.mean() > 0.9
    expected = probabilities.argmax(-1)
    np.testing.assert_array_equal(found[sure], expected[sure])
    plain = np.asarray(network(batch)).argmax(-1)
    assert (expected != plain).mean() > 0.01


@pytest.fixture
def options(trained, tmp_path):
    if keras.backend.backend() != "tensorflow":
        pytest.skip("needs Keras on TensorFlow")
    return EvaluateOptions(
        model=str(trained), output_dir=str(tmp_path / "run"), repeats=1, examples=0
    )


def test_is_reported_apart(options):
    plain = evaluate_model(options)
    assert not any("augmented" in name for name in plain)
    folder = pathlib.Path(options.output_dir + "_flip")
    results = evaluate_model(
        dataclasses.replace(
            options, flip=True, scales=(1.0, 1.25), output_dir=str(folder)
        )
    )
    for name in ("miou", "per_class_iou", "pixel_accuracy"):
        assert results[name] == plain[name]
    assert 0 < results["miou_augmented"] < 1
    assert results["miou_augmented"] != results["miou"]
    assert set(results["per_class_iou_augmented"]) == set(results["per_class_iou"])
    assert results["augmented_by"] == {"flip": True, "scales": [1.0, 1.25]}
    assert json.loads((folder / "results.json").read_text()) == results
    line = (
        f"mIoU {100 * results['miou_augmented']:.1f} % with flip and scales 1, 1.25, "
        f"{100 * results['miou']:.1f} % without; latency and fps are the plain network's"
    )
    assert line in (folder / "log.txt").read_text()


def test_what_cannot_be_augmented(options, exported, trained, tmp_path):
    load_genotype(trained).save(tmp_path / "genotype.json")
    cases = (
        ({"model": str(exported["onnx"])}, "gives masks. Give a name of the zoo or"),
        (
            {"model": str(exported["saved_model"])},
            "gives masks. Give a name of the zoo",
        ),
        (
            {"model": str(tmp_path / "genotype.json"), "input_size": (32, 64)},
            "is a genotype, without weights",
        ),
        ({"scales": (1.0, 0.0)}, "--scales must be above 0 and at most 4"),
        ({"scales": (1.0, 1.0)}, "--scales names one twice"),
    )
    for changes, match in cases:
        with pytest.raises(InputError, match=match) as error:
            evaluate_model(dataclasses.replace(options, flip=True, **changes))
        assert "\n" not in str(error.value)
    assert not pathlib.Path(options.output_dir).exists()
