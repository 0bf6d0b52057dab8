"""Batches for training, as tf.data and as plain NumPy.

Both give the same batches: order and augmentation are functions of the seed,
the epoch and the sample's index, so a resumed run sees what an uninterrupted
one would have seen.
"""

import collections
import concurrent.futures
import os
from collections.abc import Iterator

import numpy as np

from lgcnet_tf.data import augment
from lgcnet_tf.data.samples import Samples

_LOOK_AHEAD_BATCHES = 2


def steps_per_epoch(samples: Samples, batch_size: int) -> int:
    """Full batches in an epoch; 1 for a split smaller than the batch."""
    return max(1, len(samples) // batch_size)


def _indices(samples: Samples, batch_size: int, seed: int, epoch: int) -> np.ndarray:
    """Indices of an epoch's samples, `(steps * batch_size,)`."""
    order = augment.epoch_order(len(samples), seed, epoch)
    return np.resize(order, steps_per_epoch(samples, batch_size) * batch_size)


def _make_sample(samples, index, epoch, seed, crop_size, scale_range, flip):
    sample = samples[index]
    drawn = augment.draw_augmentation(
        augment.sample_generator(seed, epoch, index),
        sample.label.shape,
        crop_size,
        scale_range,
        flip,
    )
    return augment.apply_augmentation(drawn, sample.image, sample.label, crop_size)


def training_batches(
    samples: Samples,
    batch_size: int,
    crop_size: tuple[int, int],
    seed: int,
    first_epoch: int = 0,
    epochs: int = 1,
    scale_range: tuple[float, float] = (0.5, 2.0),
    flip: bool = True,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields augmented batches; threads prepare the next ones meanwhile.

    Args:
        samples: what to train on.
        batch_size: samples in a batch; the rest of an epoch is dropped.
        crop_size: (height, width) of the crops.
        seed: not negative; fixes order and augmentation.
        first_epoch: number of the first epoch, for a resumed run.
        epochs: count of epochs.
        scale_range: limits of the random scale.
        flip: mirror half of the images.

    Yields:
        Images, uint8 `(batch, height, width, 3)`, and labels, int32
        `(batch, height, width)` with 255 for void.

    Raises:
        InputError: a sample cannot be read.
    """

    def jobs():
        for epoch in range(first_epoch, first_epoch + epochs):
            for index in _indices(samples, batch_size, seed, epoch):
                yield int(index), epoch

    pool = concurrent.futures.ThreadPoolExecutor(
        os.cpu_count(), thread_name_prefix="training_batches"
    )
    pending: collections.deque = collections.deque()
    remaining = jobs()
    try:
        while True:
            for index, epoch in remaining:
                pending.append(
                    pool.submit(
                        _make_sample,
                        samples,
                        index,
                        epoch,
                        seed,
                        tuple(crop_size),
                        scale_range,
                        flip,
                    )
                )
                if len(pending) >= (_LOOK_AHEAD_BATCHES + 1) * batch_size:
                    break
            if not pending:
                return
            batch = [pending.popleft().result() for _ in range(batch_size)]
            images, labels = zip(*batch)
            yield np.stack(images), np.stack(labels).astype(np.int32)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def training_dataset(
    samples: Samples,
    batch_size: int,
    crop_size: tuple[int, int],
    seed: int,
    first_epoch: int = 0,
    epochs: int = 1,
    scale_range: tuple[float, float] = (0.5, 2.0),
    flip: bool = True,
):
    """The batches of `training_batches` as a `tf.data.Dataset`.

    Takes the same arguments. Its cardinality is known and its shapes static:
    uint8 `(batch, height, width, 3)` and int32 `(batch, height, width)`.

    Raises:
        InputError: a sample cannot be read. All are read once beforehand, as
            an exception inside tf.data would reach the user as another one.
    """
    import tensorflow as tf  # pylint: disable=import-outside-toplevel

    samples.check()
    crop_size = tuple(crop_size)

    def epoch_jobs(epoch):
        def order(epoch):
            return _indices(samples, batch_size, seed, int(epoch)).astype(np.int64)

        indices = tf.numpy_function(order, [epoch], tf.int64)
        indices.set_shape([None])
        return tf.data.Dataset.from_tensor_slices(indices).map(lambda i: (i, epoch))

    def make(index, epoch):
        def draw(index, epoch):
            return _make_sample(
                samples, int(index), int(epoch), seed, crop_size, scale_range, flip
            )

        image, label = tf.numpy_function(draw, [index, epoch], [tf.uint8, tf.uint8])
        image.set_shape([*crop_size, 3])
        label.set_shape(crop_size)
        return image, label

    dataset = tf.data.Dataset.range(first_epoch, first_epoch + epochs)
    dataset = dataset.flat_map(epoch_jobs)
    dataset = dataset.map(make, num_parallel_calls=os.cpu_count(), deterministic=True)
    dataset = dataset.batch(batch_size, drop_remainder=True)
    dataset = dataset.map(lambda image, label: (image, tf.cast(label, tf.int32)))
    dataset = dataset.apply(
        tf.data.experimental.assert_cardinality(
            epochs * steps_per_epoch(samples, batch_size)
        )
    )
    options = tf.data.Options()
    # Shards by file would need files; each worker sees the same global order.
    options.experimental_distribute.auto_shard_policy = (
        tf.data.experimental.AutoShardPolicy.DATA
    )
    return dataset.with_options(options).prefetch(_LOOK_AHEAD_BATCHES)
