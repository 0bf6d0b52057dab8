"""Drawn streets."""

import numpy as np

from lgcnet_tf.data.toy_streets.streets import ToyStreets


def test_the_same_streets_for_the_same_seed_only():
    entry = ToyStreets().splits["train"][3]
    first, second = (ToyStreets().read(entry) for _ in range(2))
    np.testing.assert_array_equal(first.image, second.image)
    np.testing.assert_array_equal(first.label, second.label)
    other = ToyStreets(seed=1)
    assert (other.read(other.splits["train"][3]).image != first.image).any()


def test_splits_share_no_street():
    reader = ToyStreets()
    counts = {split: len(streets) for split, streets in reader.splits.items()}
    assert counts == {"train": 128, "val": 32, "test": 32}
    seeds = [street.seed for streets in reader.splits.values() for street in streets]
    assert len(set(seeds)) == 192


def test_all_classes_occur_and_little_is_void():
    reader = ToyStreets(counts={"val": 8})
    labels = np.stack([reader.read(street).label for street in reader.splits["val"]])
    counts = np.bincount(labels.ravel(), minlength=256)
    assert (counts[:8] > 0).all()
    assert 0 < counts[255] < 0.1 * labels.size
    assert counts[8:255].sum() == 0


def test_size_of_the_pictures_can_be_chosen():
    reader = ToyStreets(size=(37, 51), counts={"train": 1})
    sample = reader.read(reader.splits["train"][0])
    assert sample.image.shape == (37, 51, 3) and sample.label.shape == (37, 51)
    assert sample.image.dtype == sample.label.dtype == np.uint8


def test_fingerprint_depends_on_the_settings():
    assert ToyStreets().fingerprint() == ToyStreets().fingerprint()
    assert ToyStreets().fingerprint() != ToyStreets(seed=1).fingerprint()
