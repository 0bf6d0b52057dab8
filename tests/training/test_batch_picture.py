"""The picture of augmented training images."""

import keras
import numpy as np
from PIL import Image

from lgcnet_tf.data import DatasetInfo, training_batches
from lgcnet_tf.data.contact_sheet import CELL
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


def test_once_a_run_and_not_of_the_trainings_own_batches(tmp_path):
    made = []

    def make():
        made.append(1)
        return batches()

    picture = BatchPicture(make, INFO, tmp_path / "b.png")
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    data = np.ones((4, 2)), np.ones((4, 1))
    for _ in range(2):  # the second as if it went on
        model.fit(*data, epochs=1, verbose=0, callbacks=[picture])
    assert len(made) == 1 and (tmp_path / "b.png").exists()


def test_batches_of_a_data_set_and_none(tmp_path):
    from lgcnet_tf.data import load_samples

    samples = load_samples("toy_streets", "val")
    draw_batches(
        training_batches(samples, 4, (32, 48), 0), samples.info, tmp_path / "c.png"
    )
    assert Image.open(tmp_path / "c.png").width > 400
    draw_batches(iter(()), samples.info, tmp_path / "none.png")
    assert not (tmp_path / "none.png").exists()
