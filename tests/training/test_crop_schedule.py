"""Crops that grow: sizes by epoch, one network at all of them."""

import keras
import numpy as np
import pytest
from keras import ops

from lgcnet_tf.errors import InputError
from lgcnet_tf.model.network import Network
from lgcnet_tf.model.sizes import at_size, set_input_size
from lgcnet_tf.space.genotype import random_genotype
from lgcnet_tf.training.crop_schedule import CropSchedule
from lgcnet_tf.training.growing_crops import GrowingCrops

ENTRIES = ("0:16x32", "0.5:32x32", "0.85:48x64")


def test_sizes_over_the_epochs():
    schedule = CropSchedule.parse(ENTRIES, (9, 9))
    sizes = [schedule.size_at(epoch, 20) for epoch in range(20)]
    assert sizes == [(16, 32)] * 10 + [(32, 32)] * 7 + [(48, 64)] * 3
    assert [schedule.part(epoch, 20) for epoch in (0, 9, 10, 16, 17, 19)] == [
        10, 1, 7, 1, 3, 1,
    ]  # fmt: skip
    # A change inside of an epoch waits for the next: 1.5 and 2.55 of 3.
    assert [schedule.size_at(epoch, 3) for epoch in range(3)] == [
        (16, 32), (16, 32), (32, 32),
    ]  # fmt: skip


def test_without_entries_one_size_is_all():
    schedule = CropSchedule.parse((), (24, 40))
    assert {schedule.size_at(epoch, 7) for epoch in range(7)} == {(24, 40)}
    assert schedule.part(2, 7) == 5


@pytest.mark.parametrize(
    "entries, match",
    [
        (("176x240",), "takes FRACTION:HEIGHTxWIDTH.* Received: '176x240'"),
        (("0:176x",), "takes FRACTION:HEIGHTxWIDTH.* Received: '0:176x'"),
        (("a:16x16",), "takes FRACTION:HEIGHTxWIDTH.* Received: 'a:16x16'"),
        (("0.1:16x16",), "begin with 0, rise and stay below 1"),
        (("0:16x16", "0.5:8x8", "0.5:9x9"), "begin with 0, rise and stay below 1"),
        (("0:16x16", "1:8x8"), "begin with 0, rise and stay below 1"),
        (("0:16x16", "nan:8x8"), "begin with 0, rise and stay below 1"),
    ],
)
def test_malformed(entries, match):
    with pytest.raises(InputError, match=match) as error:
        CropSchedule.parse(entries, (9, 9))
    assert "\n" not in str(error.value)


@pytest.fixture(scope="module", params=["dense", "aspp"])
def network(request, small_skeleton, randomise):
    """With every kind of edge that knows its size."""
    skeleton = small_skeleton(
        fusion=request.param,
        num_cells=3,
        reduction_cells=(1, 2),
        fusion_taps=(0, 1, 2),
    )
    genotype = random_genotype(skeleton, np.random.default_rng(3))
    return randomise(Network(skeleton, (32, 64), genotype))


def test_a_network_at_another_size_is_that_built_for_it(network, images):
    try:
        for size in ((48, 32), (33, 65), (32, 64)):
            expected = at_size(network, size)
            weights = network.trainable_variables
            set_input_size(network, size)
            assert network.input_size == size
            assert all(a is b for a, b in zip(weights, network.trainable_variables))
            batch = images(*size)
            logits = [ops.convert_to_numpy(n(batch)) for n in (network, expected)]
            assert logits[0].shape == (1, *size, 3)
            np.testing.assert_array_equal(*logits)
    finally:
        set_input_size(network, (32, 64))


def test_compiles_once_a_size_and_trains_at_each(small_skeleton, images):
    skeleton = small_skeleton(
        num_cells=3, reduction_cells=(1, 2), fusion_taps=(0, 1, 2)
    )
    genotype = random_genotype(skeleton, np.random.default_rng(3))
    schedule, epochs, seen = CropSchedule.parse(ENTRIES[:2], (9, 9)), 4, []

    class Counted(Network):
        def call(self, images, weights=None, training=None):
            seen.append(tuple(images.shape[1:3]))
            return super().call(images, weights, training)

    counted = Counted(skeleton, schedule.sizes[0], genotype)
    counted.compile(
        "sgd",
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=keras.backend.backend() == "jax",
    )
    callback = GrowingCrops(counted, schedule, epochs)
    for epoch in (0, 2):  # as `fit` does: epochs of one size at a time
        size = schedule.size_at(epoch, epochs)
        labels = np.zeros((2, *size), "int32")
        counted.fit(
            images(*size, batch=2), labels, batch_size=2, verbose=0,
            epochs=epoch + 2, initial_epoch=epoch, callbacks=[callback],
        )  # fmt: skip
        assert counted.input_size == size
    assert set(seen) == set(schedule.sizes)
    if keras.backend.backend() == "tensorflow":
        assert seen == list(schedule.sizes)
