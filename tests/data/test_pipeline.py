"""Batches from threads and from tf.data."""

import threading

import numpy as np
import pytest

from lgcnet_tf.data import (
    pipeline,
    steps_per_epoch,
    training_batches,
    training_dataset,
)
from lgcnet_tf.data.load import read_directly
from lgcnet_tf.data.rare_crops import RareCrops
from lgcnet_tf.data.samples import Sample, Samples
from lgcnet_tf.data.toy_streets.streets import ToyStreets
from lgcnet_tf.errors import InputError


@pytest.fixture(scope="module")
def streets():
    return read_directly(ToyStreets(counts={"train": 11}), "train")


def assert_same(first, second):
    assert len(first) == len(second)
    for (images, labels), (other_images, other_labels) in zip(first, second):
        np.testing.assert_array_equal(images, other_images)
        np.testing.assert_array_equal(labels, other_labels)
        assert images.dtype == other_images.dtype == np.uint8
        assert labels.dtype == other_labels.dtype == np.int32


@pytest.mark.parametrize(
    "more", [{}, {"color_jitter": 0.4, "rare_crops": RareCrops(0.5, (4, 5, 6))}]
)
def test_tf_data_and_numpy_give_the_same_batches(streets, more):
    tf = pytest.importorskip("tensorflow")
    arguments = dict(
        batch_size=4, crop_size=(48, 64), seed=3, first_epoch=2, epochs=3,
        scale_range=(0.75, 1.5), flip=True, **more,
    )  # fmt: skip
    dataset = training_dataset(streets, **arguments)
    assert dataset.element_spec == (
        tf.TensorSpec((4, 48, 64, 3), tf.uint8),
        tf.TensorSpec((4, 48, 64), tf.int32),
    )
    assert dataset.cardinality() == 3 * steps_per_epoch(streets, 4) == 6
    batches = list(training_batches(streets, **arguments))
    assert_same(list(dataset.as_numpy_iterator()), batches)
    assert_same(list(dataset.as_numpy_iterator()), batches)


def test_colours_and_rare_classes_change_what_they_should(streets):
    plain = list(training_batches(streets, 4, (32, 40), seed=1))
    jittered = list(training_batches(streets, 4, (32, 40), seed=1, color_jitter=0.4))
    rare = RareCrops(1.0, (4, 5, 6))
    moved = list(training_batches(streets, 4, (32, 40), seed=1, rare_crops=rare))
    for (images, labels), (other, same), (_, others) in zip(plain, jittered, moved):
        np.testing.assert_array_equal(labels, same)
        assert (images != other).any(axis=(1, 2, 3)).all()
        middle = others[:, 15:18, 19:22]
        assert np.isin(middle, rare.classes).any(axis=(1, 2)).mean() > 0.5
        assert (labels != others).any()


def test_a_later_epoch_is_what_an_uninterrupted_run_sees(streets):
    whole = list(training_batches(streets, 4, (32, 32), seed=1, epochs=3))
    resumed = list(training_batches(streets, 4, (32, 32), seed=1, first_epoch=2))
    assert_same(whole[4:], resumed)
    assert (whole[0][0] != whole[4][0]).any()


def test_parts_make_up_the_batches(streets):
    pytest.importorskip("tensorflow")
    arguments = dict(batch_size=4, crop_size=(32, 32), seed=1, epochs=2)
    whole = list(training_batches(streets, **arguments))
    parts = [
        list(training_dataset(streets, **arguments, part=(n, 2)).as_numpy_iterator())
        for n in range(2)
    ]
    assert_same([tuple(map(np.concatenate, zip(*pair))) for pair in zip(*parts)], whole)


@pytest.mark.parametrize("part", [(0, 1), (1, 2)])
def test_first_step_leaves_out_batches_of_the_first_epoch_alone(streets, part):
    pytest.importorskip("tensorflow")
    arguments = dict(
        batch_size=2, crop_size=(32, 32), seed=1, first_epoch=1, epochs=2, part=part
    )
    whole = list(training_batches(streets, **arguments))
    assert_same(whole[3:], list(training_batches(streets, **arguments, first_step=3)))
    dataset = training_dataset(streets, **arguments, first_step=3)
    assert dataset.cardinality() == 2 * 5 - 3
    assert_same(whole[3:], list(dataset.as_numpy_iterator()))


def test_a_batch_holds_the_augmented_samples_of_its_epoch(streets):
    (images, labels), _ = training_batches(streets, 4, (32, 40), seed=5, first_epoch=7)
    for row, index in enumerate(pipeline.augment.epoch_order(11, 5, 7)[:4]):
        sample = streets[int(index)]
        drawn = pipeline.augment.draw_augmentation(
            pipeline.augment.sample_generator(5, 7, int(index)), (96, 160), (32, 40)
        )
        image, label = pipeline.augment.apply_augmentation(
            drawn, sample.image, sample.label, (32, 40)
        )
        np.testing.assert_array_equal(images[row], image)
        np.testing.assert_array_equal(labels[row], label)


def test_split_smaller_than_the_batch_wraps_around(streets):
    few = streets[:3]
    assert steps_per_epoch(few, 8) == 1
    ((images, _),) = training_batches(few, 8, (32, 32), seed=0)
    assert images.shape == (8, 32, 32, 3)
    np.testing.assert_array_equal(images[0], images[3])


def test_bad_sample_ends_the_batches_with_its_own_error(streets):
    def read(index):
        if index == 2:
            raise InputError("two.png: truncated")
        return Sample(str(index), *streets[index][1:])

    bad = Samples(streets.info, "train", 4, read)
    with pytest.raises(InputError, match="two.png"):
        list(training_batches(bad, 2, (32, 32), seed=0))


def test_leaving_early_stops_the_threads(streets):
    batches = training_batches(streets, 2, (32, 32), seed=0, epochs=50)
    next(batches)
    workers = [t for t in threading.enumerate() if "training_batches" in t.name]
    assert workers
    batches.close()
    for worker in workers:
        worker.join(timeout=5)
    assert not any(worker.is_alive() for worker in workers)
