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
from lgcnet_tf.data.labelled_images import LabelledImages
from lgcnet_tf.data.rare_crops import RareCrops, centre_on_rare_class
from lgcnet_tf.data.samples import Samples

_LOOK_AHEAD_BATCHES = 2


def steps_per_epoch(samples: Samples | LabelledImages, batch_size: int) -> int:
    """Full batches in an epoch; 1 for a split smaller than the batch."""
    return max(1, len(samples) // batch_size)


def _indices(
    samples: Samples | LabelledImages,
    batch_size: int,
    seed: int,
    epoch: int,
    part: tuple[int, int],
    first_step: int,
) -> np.ndarray:
    """Indices of an epoch's samples, or of this part of each batch, in order."""
    order = augment.epoch_order(len(samples), seed, epoch)
    steps = steps_per_epoch(samples, batch_size)
    number, parts = part
    batches = np.resize(order, steps * batch_size).reshape(steps, parts, -1)
    return batches[first_step:, number].reshape(-1)


def _make_sample(
    samples, index, epoch, seed, crop_size, scale_range, flip, color_jitter, rare_crops
):
    generator = augment.sample_generator(seed, epoch, index)
    if isinstance(samples, LabelledImages):
        return samples.random_crop(index, generator, crop_size, scale_range, flip)
    sample = samples[index]
    drawn = augment.draw_augmentation(
        generator,
        sample.label.shape,
        crop_size,
        scale_range,
        flip,
        color_jitter,
    )
    if rare_crops is not None:
        drawn = centre_on_rare_class(
            generator, drawn, sample.label, crop_size, rare_crops
        )
    return augment.apply_augmentation(drawn, sample.image, sample.label, crop_size)


def training_batches(
    samples: Samples | LabelledImages,
    batch_size: int,
    crop_size: tuple[int, int],
    seed: int,
    first_epoch: int = 0,
    epochs: int = 1,
    scale_range: tuple[float, float] = (0.5, 2.0),
    flip: bool = True,
    part: tuple[int, int] = (0, 1),
    first_step: int = 0,
    color_jitter: float = 0.0,
    rare_crops: RareCrops | None = None,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields augmented batches; threads prepare the next ones meanwhile.

    Args:
        samples: what to train on.
        batch_size: samples in a batch; the rest of an epoch is dropped.
        crop_size: (height, width) of the crops.
        seed: not negative; fixes order and augmentation.
        first_epoch: number of the first epoch, for a resumed run.
        epochs: count of epochs.
        scale_range: limits of the random scale; for `LabelledImages`, of a crop's
            share of the image's area.
        flip: mirror half of the images.
        part: `(number, parts)`: every batch is cut into equal parts, of which
            this one is made.
        first_step: batches of the first epoch to leave out, for a run that
            goes on inside of it.
        color_jitter: as for `augment.draw_augmentation`; not for `LabelledImages`.
        rare_crops: crops that show rare classes more often; not for
            `LabelledImages`.

    Yields:
        Images, uint8 `(batch, height, width, 3)`, and labels, int32
        `(batch, height, width)` with 255 for void, or `(batch,)` of `LabelledImages`.

    Raises:
        InputError: a sample cannot be read.
    """

    def jobs():
        for epoch in range(first_epoch, first_epoch + epochs):
            skip = first_step if epoch == first_epoch else 0
            for index in _indices(samples, batch_size, seed, epoch, part, skip):
                yield int(index), epoch

    size = batch_size // part[1]
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
                        color_jitter,
                        rare_crops,
                    )
                )
                if len(pending) >= (_LOOK_AHEAD_BATCHES + 1) * size:
                    break
            if not pending:
                return
            batch = [pending.popleft().result() for _ in range(size)]
            images, labels = zip(*batch)
            yield np.stack(images), np.stack(labels).astype(np.int32)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def training_dataset(
    samples: Samples | LabelledImages,
    batch_size: int,
    crop_size: tuple[int, int],
    seed: int,
    first_epoch: int = 0,
    epochs: int = 1,
    scale_range: tuple[float, float] = (0.5, 2.0),
    flip: bool = True,
    part: tuple[int, int] = (0, 1),
    first_step: int = 0,
    color_jitter: float = 0.0,
    rare_crops: RareCrops | None = None,
):
    """The batches of `training_batches` as a `tf.data.Dataset`.

    Takes the same arguments. Its cardinality is known and its shapes static:
    uint8 `(batch, height, width, 3)` and int32 `(batch, height, width)`, or `(batch,)`.

    Raises:
        InputError: a sample cannot be read. All are read once beforehand, as
            an exception inside tf.data would reach the user as another one.
    """
    import tensorflow as tf  # pylint: disable=import-outside-toplevel

    samples.check()
    crop_size = tuple(crop_size)
    classifies = isinstance(samples, LabelledImages)
    label_type, label_shape = (tf.int32, ()) if classifies else (tf.uint8, crop_size)

    def epoch_jobs(epoch):
        def order(epoch):
            skip = first_step if epoch == first_epoch else 0
            indices = _indices(samples, batch_size, seed, int(epoch), part, skip)
            return indices.astype(np.int64)

        # Functions of their arguments alone: else determinism runs them in series.
        indices = tf.numpy_function(order, [epoch], tf.int64, stateful=False)
        indices.set_shape([None])
        return tf.data.Dataset.from_tensor_slices(indices).map(lambda i: (i, epoch))

    def make(index, epoch):
        def draw(index, epoch):
            return _make_sample(
                samples,
                int(index),
                int(epoch),
                seed,
                crop_size,
                scale_range,
                flip,
                color_jitter,
                rare_crops,
            )

        image, label = tf.numpy_function(
            draw, [index, epoch], [tf.uint8, label_type], stateful=False
        )
        image.set_shape([*crop_size, 3])
        label.set_shape(label_shape)
        return image, label

    dataset = tf.data.Dataset.range(first_epoch, first_epoch + epochs)
    dataset = dataset.flat_map(epoch_jobs)
    dataset = dataset.map(make, num_parallel_calls=os.cpu_count(), deterministic=True)
    dataset = dataset.batch(batch_size // part[1], drop_remainder=True)
    dataset = dataset.map(lambda image, label: (image, tf.cast(label, tf.int32)))
    dataset = dataset.apply(
        tf.data.experimental.assert_cardinality(
            epochs * steps_per_epoch(samples, batch_size) - first_step
        )
    )
    options = tf.data.Options()
    # Shards by file would need files; each worker sees the same global order.
    options.experimental_distribute.auto_shard_policy = (
        tf.data.experimental.AutoShardPolicy.DATA
    )
    return dataset.with_options(options).prefetch(_LOOK_AHEAD_BATCHES)
