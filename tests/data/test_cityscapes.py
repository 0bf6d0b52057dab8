"""Cityscapes' archives through TFDS' builder."""

import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from lgcnet_tf.data import load_samples, tfds_source
from lgcnet_tf.data.cityscapes import LABEL_IDS, train_ids
from lgcnet_tf.errors import InputError

NAMES = {"train": "aachen_000000_000019", "val": "lindau_000001_000019",
         "test": "berlin_000002_000019"}  # fmt: skip


def png(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def archives(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cityscapes")
    label = np.arange(36, dtype=np.uint8).reshape(4, 9)
    label[label > 33] = 255
    with (
        zipfile.ZipFile(folder / "leftImg8bit_trainvaltest.zip", "w") as images,
        zipfile.ZipFile(folder / "gtFine_trainvaltest.zip", "w") as labels,
    ):
        for index, (split, name) in enumerate(NAMES.items()):
            place = f"{split}/{name.split('_')[0]}/{name}"
            image = np.full((4, 9, 3), index, np.uint8)
            images.writestr(f"leftImg8bit/{place}_leftImg8bit.png", png(image))
            labels.writestr(f"gtFine/{place}_gtFine_labelIds.png", png(label))
    return folder


@pytest.mark.skipif(
    not tfds_source.available(), reason="TensorFlow and TFDS are not installed"
)
@pytest.mark.parametrize("split, value", [("train", 0), ("val", 1), ("test", 2)])
def test_samples_have_train_ids(archives, split, value):
    samples = load_samples("cityscapes", split, archives)
    assert len(samples) == 1
    sample = samples[0]
    assert sample.name == NAMES[split]
    assert (sample.image == value).all() and sample.image.shape == (4, 9, 3)
    flat = sample.label.ravel()
    assert flat[list(LABEL_IDS)].tolist() == list(range(19))
    assert (np.delete(flat, LABEL_IDS) == 255).all()


def test_train_ids_are_those_of_cityscapesscripts():
    labels = pytest.importorskip("cityscapesscripts.helpers.labels").labels
    for label in labels:
        if label.id >= 0:
            mapped = train_ids(np.array([[label.id]], np.uint8), "x")[0, 0]
            assert mapped == (255 if label.ignoreInEval else label.trainId)


def test_value_that_is_no_label_id():
    with pytest.raises(InputError, match="x.png: label value 34"):
        train_ids(np.array([[0, 34]], np.uint8), "x.png")


def test_missing_archives_are_named(tmp_path):
    with pytest.raises(InputError, match="leftImg8bit_trainvaltest.zip and gtFine"):
        load_samples("cityscapes", "train", tmp_path)
    with pytest.raises(InputError, match="no such data folder"):
        load_samples("cityscapes", "train", tmp_path / "nowhere")
    with pytest.raises(InputError, match="--data_dir"):
        load_samples("cityscapes", "train")
    with pytest.raises(InputError, match="gtCoarse.zip missing"):
        load_samples("cityscapes", "train_extra", tmp_path)
    with pytest.raises(InputError, match="Available: train, val, test, train_extra"):
        load_samples("cityscapes", "dev", tmp_path)
