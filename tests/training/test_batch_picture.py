"""The picture of augmented training images."""

import keras
import numpy as np
import pytest
from PIL import Image

from lgcnet_tf.data import DatasetInfo, training_batches
from lgcnet_tf.data.contact_sheet import CELL
from lgcnet_tf.data.labelled_images import EncodedImage, LabelledImages
from lgcnet_tf.training import batch_picture
from lgcnet_tf.training.batch_picture import BatchPicture, draw_batches

RED, BLUE = (255, 0, 0), (0, 0, 255)
INFO = DatasetInfo.of("two", {"left": RED, "right": BLUE})


def batches(count=3):
    """Gray images whose right half is the second class."""
    for _ in range(count):
        images = np.full((8, 20, 30, 3), 128, np.uint8)
        labels = np.zeros((8, 20, 30), np.int32)
        labels[:, :, 15:] = 1
        yield images, labels


def test_labels_lie_where_they_are(tmp_path):
    draw_batches(batches(), INFO, tmp_path / "a.png")
    sheet = np.asarray(Image.open(tmp_path / "a.png")).astype(int)
    reddish = (sheet[..., 0] - sheet[..., 2] > 60).sum(axis=1)
    bluish = (sheet[..., 2] - sheet[..., 0] > 60).sum(axis=1)
    rows = np.flatnonzero(reddish > 200)  # not the legend
    assert len(rows) > CELL[0] and np.array_equal(rows, np.flatnonzero(bluish > 200))
    row = sheet[rows[len(rows) // 8]]
    first_red = np.flatnonzero(row[:, 0] - row[:, 2] > 60)[0]
    first_blue = np.flatnonzero(row[:, 2] - row[:, 0] > 60)[0]
    assert first_red < first_blue
    draw_batches(iter(()), INFO, tmp_path / "none.png")
    assert not (tmp_path / "none.png").exists()


def fitted(*callbacks):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    data = np.ones((4, 2)), np.ones((4, 1))
    model.fit(*data, epochs=1, verbose=0, callbacks=list(callbacks))


def test_once_a_run_and_the_training_s_own_images(tmp_path, monkeypatch, small_samples):
    drawn = []

    def draw(found, info, path):
        drawn.extend(batch_picture._first(found))
        path.touch()

    monkeypatch.setattr(batch_picture, "draw_batches", draw)
    picture = BatchPicture(
        small_samples, (16, 16), tmp_path / "b.png", batch_size=6, seed=3,
        scale_range=(0.9, 1.1),
    )  # fmt: skip
    fitted(picture)
    fitted(picture)  # as if it went on
    (images, labels), *_ = training_batches(
        small_samples, 6, (16, 16), 3, scale_range=(0.9, 1.1)
    )
    assert len(drawn) == 4  # a batch for the picture is of 4, of 6 images
    for (_, image, label), *expected in zip(drawn, images, labels):
        np.testing.assert_array_equal(image, expected[0])
        np.testing.assert_array_equal(label, expected[1])


def test_classified_images_have_their_class_below(tmp_path):
    files = []
    for number, color in enumerate((RED, BLUE)):
        path = tmp_path / f"{number}.png"
        Image.fromarray(np.full((20, 20, 3), color, np.uint8)).save(path)
        files.append(path)

    def read(index):
        return EncodedImage(files[index].read_bytes(), str(files[index]), index)

    images = LabelledImages("two", "train", ("left", "right"), 2, read)
    path = tmp_path / "sheet.png"
    fitted(BatchPicture(images, (12, 12), path, batch_size=2, seed=0))
    sheet = np.asarray(Image.open(path).convert("RGB")).reshape(-1, 3)
    for color in (RED, BLUE):  # enlarged to the height of a cell
        count = (sheet == color).all(axis=1).sum()
        assert count == pytest.approx(CELL[0] ** 2, rel=0.02)
