"""Finding a data set by name."""

import importlib
import os

from lgcnet_tf.data import images, tfds_source
from lgcnet_tf.data.camvid.folder import CamvidFolder
from lgcnet_tf.data.cityscapes import load_cityscapes
from lgcnet_tf.data.groups import join_samples
from lgcnet_tf.data.info import dataset_info
from lgcnet_tf.data.samples import Reader, Sample, Samples
from lgcnet_tf.data.toy_streets.streets import ToyStreets
from lgcnet_tf.errors import InputError, NoSuchSplit


def load_samples(
    dataset: str, split: str, data_dir: str | os.PathLike | None = None
) -> Samples:
    """Opens a split of a data set, or several as one.

    With TFDS and TensorFlow installed the data go through the TFDS builder,
    which checks every sample and keeps a prepared copy in
    `tfds_source.cache_folder()`. Elsewhere the same reader is used directly;
    the samples are the same.

    Args:
        dataset: toy_streets, camvid or cityscapes.
        split: train, val or test, where the data have it; several with commas
            between.
        data_dir: folder of the source data; toy_streets needs none.

    Raises:
        NoSuchSplit: the data have no such split; it is an InputError too.
        InputError: an unknown data set, a missing or empty folder, or bad files
            in it, or a split named twice; says what is wrong and where.
    """
    dataset_info(dataset)
    splits = [name.strip() for name in split.split(",")]
    if len(set(splits)) != len(splits):
        raise InputError(f"--split={split} names a split twice.")
    return join_samples([_load_split(dataset, name, data_dir) for name in splits])


def _load_split(dataset, split, data_dir) -> Samples:
    if dataset == "cityscapes":
        return load_cityscapes(split, data_dir)
    reader = ToyStreets() if dataset == "toy_streets" else CamvidFolder(data_dir)
    if split not in reader.splits:
        raise NoSuchSplit(
            f"{dataset} has no split '{split}'. Available: {', '.join(reader.splits)}."
        )
    if tfds_source.available():
        return _through_tfds(reader, split, data_dir)
    return read_directly(reader, split)


def read_directly(reader: Reader, split: str) -> Samples:
    """The split's samples from a reader, without TFDS."""
    entries = reader.splits[split]
    return Samples(
        reader.info,
        split,
        len(entries),
        lambda index: reader.read(entries[index]),
        name=lambda index: entries[index].name,
    )


def _through_tfds(
    reader: Reader, split: str, data_dir: str | os.PathLike | None
) -> Samples:
    name = reader.info.name

    def make_builder(folder: str):
        module = importlib.import_module(
            f"lgcnet_tf.data.{name}.{name}_dataset_builder"
        )
        return module.Builder(data_dir=folder)

    examples = tfds_source.prepared_splits(
        make_builder, name, reader.fingerprint(), data_dir
    )[split]
    entries = reader.splits[split]

    def read(index: int) -> Sample:
        example, where = examples[index], entries[index].name
        return Sample(
            where,
            images.decode_image(example["image"], where),
            images.decode_label(example["label"], where),
        )

    return Samples(
        reader.info,
        split,
        len(examples),
        read,
        checked=True,
        name=lambda index: entries[index].name,
    )
