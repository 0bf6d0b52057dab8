"""Folders of classified images: both layouts, with TFDS' ImageFolder and without."""

import numpy as np
import pytest
from PIL import Image

from lgcnet_tf.data import tfds_source, training_batches, training_dataset
from lgcnet_tf.data.labelled_images import labelled_inputs, load_labelled_images
from lgcnet_tf.errors import InputError


def fill(folder):
    """Two classes; a picture's grey level is its number."""
    number = 0
    for name in ("b_cats", "a_dogs"):
        (folder / name).mkdir(parents=True)
        for index in range(3):
            picture = Image.new("L", (12, 10), number)
            picture.save(folder / name / f"{index}.png")
            number += 10
        (folder / name / "notes.txt").write_text("no picture")


@pytest.fixture(params=["flat", "splits"])
def folder(request, tmp_path):
    fill(tmp_path / "set" if request.param == "flat" else tmp_path / "set" / "train")
    return tmp_path / "set"


@pytest.fixture(params=[True, False], ids=["TFDS", "own"])
def images(request, folder, monkeypatch):
    monkeypatch.setattr(tfds_source, "available", lambda: request.param)
    return load_labelled_images("image_folder", "train", folder)


def test_every_picture_with_its_class(images):
    assert images.class_names == ("a_dogs", "b_cats")
    found = [(int(image[0, 0, 0]), label) for image, label in images]
    assert found == [(30, 0), (40, 0), (50, 0), (0, 1), (10, 1), (20, 1)]
    assert images[0][0].shape == (10, 12, 3)


def test_batches_are_the_same_from_tf_data_and_threads(folder):
    images = load_labelled_images("image_folder", "train", folder)
    arguments = {"batch_size": 2, "crop_size": (8, 8), "seed": 3, "epochs": 2}
    plain = list(training_batches(images, scale_range=(0.3, 1.0), **arguments))
    tensors = training_dataset(images, scale_range=(0.3, 1.0), **arguments)
    assert len(plain) == len(tensors) == 6
    for (image, label), (other, number) in zip(plain, tensors, strict=True):
        assert image.shape == (2, 8, 8, 3) and label.shape == (2,)
        np.testing.assert_array_equal(image, other)
        np.testing.assert_array_equal(label, number)
        levels = {0: (30, 40, 50), 1: (0, 10, 20)}
        assert all(i[0, 0, 0] in levels[int(n)] for i, n in zip(image, label))
    seen = sorted(int(image[0, 0, 0]) for batch, _ in plain[:3] for image in batch)
    assert seen == [0, 10, 20, 30, 40, 50]


def test_no_tensorflow(monkeypatch):
    monkeypatch.setattr(tfds_source, "available", lambda: False)
    with pytest.raises(InputError, match="--dataset=image_folder does not"):
        load_labelled_images("cifar10", "train")


def test_inputs_tell_when_pictures_change(tmp_path):
    def write(name, size=8):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", (size, size)).save(tmp_path / name)

    def inputs():
        images = load_labelled_images("image_folder", "train", tmp_path)
        return labelled_inputs(images, "image_folder", tmp_path)

    for name in ("cat/1.png", "dog/1.png"):
        write(name)
    before = inputs()
    assert inputs() == before
    write("dog/1.png", 64)
    changed = inputs()
    key = next(key for key in before if key.startswith("split"))
    assert [n for n in before[key] if before[key][n] != changed[key][n]] == ["dog"]
    write("owl/1.png")
    assert inputs()["classes"] == {"0": "cat", "1": "dog", "2": "owl"}
