import numpy as np
import pytest
from PIL import Image

from lgcnet_tf.data import load_samples
from lgcnet_tf.data.fit import pieces_of
from lgcnet_tf.data.geometry import FITS
from lgcnet_tf.errors import InputError
from lgcnet_tf.runtimes.representative import (
    MOST_IMAGES,
    RepresentativeImages,
    images_of_folder,
    images_of_training_split,
)


def test_training_images_evenly_over_the_split():
    images = images_of_training_split("toy_streets", "", "entropy")
    samples = load_samples("toy_streets", "train")
    assert len(images) == MOST_IMAGES and images.method == "entropy"
    assert images.source == f"{MOST_IMAGES} training images of toy_streets"
    np.testing.assert_array_equal(images[0], samples[0].image)
    np.testing.assert_array_equal(
        images[MOST_IMAGES - 1], samples[len(samples) - 1].image
    )


def test_one_image_in_memory_at_a_time():
    read = []
    images = RepresentativeImages(
        5, lambda index: read.append(index) or np.full((4, 6, 3), index, np.uint8)
    )
    batches = images.batches((2, 4, 6, 3))
    assert read == []
    assert next(batches)[:, 0, 0, 0].tolist() == [0, 1] and read == [0, 1]
    rest = [batch[:, 0, 0, 0].tolist() for batch in batches]
    assert rest == [[2, 3], [4, 0]]  # a whole batch at the end too


def test_resized_as_evaluation_does(images):
    (image,) = images(33, 65)
    for fit in FITS:
        pictures = RepresentativeImages.of([image])
        pictures.fit = fit
        found = list(pictures.batches((1, 20, 30, 3)))
        np.testing.assert_array_equal(
            np.concatenate(found), pieces_of(image, fit, (20, 30))
        )


def test_folder_and_split_that_are_not_there(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        images_of_folder(str(tmp_path / "absent"), "minmax")
    for split in ("val", "valannot"):
        (tmp_path / split).mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "val" / "a.png")
    Image.new("L", (8, 8)).save(tmp_path / "valannot" / "a.png")
    with pytest.raises(InputError, match="no split 'train'.*--calibration_images"):
        images_of_training_split("camvid", str(tmp_path), "minmax")
