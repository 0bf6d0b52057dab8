"""`pretrain` from classified images to weights that a finetuning starts from."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
from PIL import Image

from lgcnet_tf.commands.finetune import FinetuneOptions, finetune
from lgcnet_tf.commands.pretrain import PretrainOptions, pretrain
from lgcnet_tf.data.labelled_images import load_labelled_images
from lgcnet_tf.errors import InputError
from lgcnet_tf.interruption import INTERRUPTION, Interrupted
from lgcnet_tf.model.zoo import load_network, load_trained

EPOCHS = 8
RATE = 0.01


@pytest.fixture(scope="module")
def options(image_folder, small_genotype):
    return PretrainOptions(
        model=str(small_genotype),
        dataset="image_folder",
        data_dir=str(image_folder),
        crop_size=(32, 32),
        scale_min=0.5,
        epochs=EPOCHS,
        warmup_epochs=1,
        batch_size=4,
        lr=RATE,
        validate_every=4,
        ema=0.9,
        clip_norm=0.5,
        deterministic=True,
    )


@pytest.fixture(scope="module")
def finished(options, tmp_path_factory):
    """Returned results and folder of a whole run."""
    folder = tmp_path_factory.mktemp("pretrain") / "run"
    return pretrain(dataclasses.replace(options, output_dir=str(folder))), folder


def history(folder):
    return json.loads((folder / "history.json").read_text())


def test_learns_and_says_so(finished):
    results, folder = finished
    assert json.loads((folder / "results.json").read_text()) == results
    assert results["classes"] == 3 and results["images"] == 24
    assert results["last_epoch"]["val_top1"] > 0.6  # a third is chance
    assert results["last_epoch"]["val_top5"] == 1.0
    losses = [entry["loss"] for entry in history(folder)]
    assert losses[-1] < 0.7 * losses[0]
    validated = ["val_top1" in entry for entry in history(folder)]
    assert validated == [False, False, False, True] * 2


def test_rate_falls_as_a_cosine_after_the_warm_up(finished):
    found = [entry["learning_rate"] for entry in history(finished[1])]
    done = np.arange(1, EPOCHS + 1) / EPOCHS
    np.testing.assert_allclose(found, RATE * (1 + np.cos(np.pi * done)) / 2, atol=1e-6)


def test_accuracy_is_that_of_the_saved_classifier(finished, image_folder):
    """By hand: the 0.875 centre of each picture, the class of the largest logit."""
    classifier = load_trained(finished[1] / "model.keras")
    right = []
    for number, name in enumerate(("blue", "green", "red")):
        for path in sorted((image_folder / "validation" / name).iterdir()):
            picture = Image.open(path).convert("RGB")
            side = 0.875 * 30
            box = (20 - side / 2, 15 - side / 2, 20 + side / 2, 15 + side / 2)
            crop = picture.resize((32, 32), Image.Resampling.BILINEAR, box)
            logits = np.asarray(classifier(np.asarray(crop)[None], training=False))
            right.append(logits.shape == (1, 3) and logits.argmax() == number)
    best = load_trained(finished[1] / finished[0]["best_model"])
    assert best.num_classes == 3
    tops = [entry.get("val_top1", 0.0) for entry in history(finished[1])]
    assert finished[0]["best_epoch"] == 1 + int(np.argmax(tops))
    found = finished[0]["last_epoch"]["val_top1"]
    assert found == pytest.approx(np.mean(right), abs=1e-9)


def test_goes_on_exactly_where_it_was_stopped(finished, options, tmp_path, monkeypatch):
    """Stopped inside an epoch, started again: the same weights, bit by bit.

    What is saved is their average, which is resumed with the rest.
    """
    whole = finished[1]
    broken = dataclasses.replace(options, output_dir=str(tmp_path / "broken"))

    steps = 0
    step = type(INTERRUPTION).defer

    def stop_at_the_second(self):
        nonlocal steps
        steps += 1
        step(self)
        if steps == 2:
            self.signal = 15

    with monkeypatch.context() as patch, pytest.raises(Interrupted):
        patch.setattr(type(INTERRUPTION), "defer", stop_at_the_second)
        patch.setattr(INTERRUPTION, "signal", None)
        pretrain(broken)
    names = [path.name for path in (tmp_path / "broken" / "checkpoints").iterdir()]
    assert names == ["epoch_0001_step_0002.npz"]
    pretrain(broken)
    one, other = (
        load_trained(run / "model.keras").get_weights()
        for run in (whole, tmp_path / "broken")
    )
    for mine, theirs in zip(one, other, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    with np.load(whole / f"checkpoints/epoch_{EPOCHS:04d}.npz") as saved:
        averages = [saved[f"kept/average/{index}"] for index in range(len(one))]
        last = [saved[name] for name in saved.files if name.endswith("conv/kernel")]
    for mine, average in zip(one, averages, strict=True):
        np.testing.assert_array_equal(mine, average)
    assert not any((last[0].shape == m.shape and (last[0] == m).all()) for m in one)


def test_finetuning_starts_from_it(finished, small_genotype, tmp_path):
    run = tmp_path / "finetune"
    finetune(
        FinetuneOptions(
            model=str(small_genotype),
            initial_model=str(finished[1]),
            output_dir=str(run),
            input_size=(48, 80),
            crop_size=(32, 64),
            epochs=1,
            batch_size=32,
            lr=1e-9,
            l2=0.0,
            validation_split="",
        )
    )
    report = json.loads((run / "initial_weights.json").read_text())
    assert report["initial_model"] == str(finished[1])
    assert list(report["mismatched"]) == ["classifier"]
    assert all(path.startswith("fusion/") for path in report["missing"])
    assert f"took {report['layers_taken']} of" in (run / "log.txt").read_text()
    pretrained = load_trained(finished[1] / "model.keras").units
    trained = load_network(run / "model.keras").units
    for path in report["taken"]:
        for one, other in zip(
            pretrained[path].trainable_variables, trained[path].trainable_variables
        ):
            np.testing.assert_allclose(one, other, atol=1e-6)


def test_a_classifier_segments_nothing(finished):
    with pytest.raises(InputError, match="classifies whole images; give it as"):
        load_network(finished[1] / "model.keras")


def test_imagenet_of_the_true_structure(
    imagenet_archives, small_genotype, options, tmp_path
):
    imagenet = dataclasses.replace(
        options,
        dataset="imagenet2012",
        data_dir=str(imagenet_archives),
        output_dir=str(tmp_path / "run"),
        optimizer="adamw",
        lr=1e-3,
        epochs=1,
        warmup_epochs=0,
        batch_size=4,
    )
    results = pretrain(imagenet)
    assert results["classes"] == 1000 and results["images"] == 8
    assert 0.0 <= results["last_epoch"]["val_top1"] <= 1.0
    images = load_labelled_images("imagenet2012", "train", imagenet_archives)
    assert sorted(images[i][1] for i in range(8)) == [0] * 4 + [1] * 4
    assert images.class_names[:2] == ("n01440764", "n01443537")
    validation = load_labelled_images("imagenet2012", "validation", imagenet_archives)
    # Of ILSVRC's own list: 65, 970, 230 of the images 1, 2, 3 in TFDS' order.
    assert len(validation) == 3
    assert len({validation[i][1] for i in range(3)}) == 3


def refuse(options, tmp_path, match, **changes):
    changed = dataclasses.replace(options, output_dir=str(tmp_path / "run"), **changes)
    with pytest.raises(InputError, match=match) as error:
        pretrain(changed)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "run").exists()


def test_bad_data(options, image_folder, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    refuse(options, tmp_path, "empty: has no pictures", data_dir=str(empty))
    one = tmp_path / "one"
    shutil.copytree(image_folder / "train" / "red", one / "red")
    refuse(options, tmp_path, "at least 2 classes. Received: red", data_dir=str(one))
    refuse(options, tmp_path, "no such data set of TFDS", dataset="no_such_set")
    refuse(options, tmp_path, "not a set of images with one class", dataset="coco")
    refuse(options, tmp_path, "has no split 'dev'", split="dev")
    refuse(options, tmp_path, "has no split 'test'", validation_split="test")
    refuse(options, tmp_path, "image_folder needs a folder", data_dir="no/folder")


def test_bad_options(options, tmp_path):
    refuse(options, tmp_path, "--warmup_epochs=8.0 must be below", warmup_epochs=8.0)
    refuse(options, tmp_path, "--ema must be below 1", ema=1.0)
    refuse(options, tmp_path, "--label_smoothing must be below", label_smoothing=1.0)
    refuse(options, tmp_path, "shares of an image's area", scale_max=1.5)


def test_a_damaged_picture_is_named(options, image_folder, tmp_path):
    folder = tmp_path / "images"
    shutil.copytree(image_folder / "train", folder)
    broken = folder / "red" / "5.JPEG"
    broken.write_bytes(broken.read_bytes()[:200])
    damaged = dataclasses.replace(
        options, data_dir=str(folder), output_dir=str(tmp_path / "run")
    )
    with pytest.raises(InputError, match="red/5.JPEG: truncated"):
        pretrain(damaged)
