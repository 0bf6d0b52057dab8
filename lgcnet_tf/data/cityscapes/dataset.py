"""Cityscapes through TFDS' own builder, with labels as 19 train ids."""

import hashlib
import os
import pathlib

from lgcnet_tf.data import images, tfds_source
from lgcnet_tf.data.cityscapes.archives import SPLITS, archives_of, train_ids
from lgcnet_tf.data.cityscapes.classes import INFO
from lgcnet_tf.data.dataset import Dataset, file_fingerprints
from lgcnet_tf.data.samples import Sample, Samples
from lgcnet_tf.errors import InputError


class Cityscapes(Dataset):
    """The archives of a folder; what is in a split is known when it is loaded.

    Args:
        data_dir: folder of the archives, as downloaded.
    """

    def __init__(self, data_dir: str | os.PathLike | None):
        self.info = INFO
        self.data_dir = data_dir
        self.splits = dict.fromkeys(SPLITS, ())

    def read(self, entry) -> Sample:
        raise NotImplementedError("TFDS reads Cityscapes: use `load`.")

    def load(self, split: str) -> Samples:
        """Opens a split.

        Raises:
            InputError: no such split, an archive is missing, or TFDS is not
                installed.
        """
        archives = archives_of(split, self.data_dir)
        config, tfds_split, _ = SPLITS[split]
        if not tfds_source.available():
            raise InputError(
                "cityscapes needs tensorflow, tensorflow-datasets and array_record."
            )
        examples = _examples(config, archives)[tfds_split]

        def name_of(example) -> str:
            name = example["image_id"]
            return name.decode() if isinstance(name, bytes) else str(name)

        def read(index: int) -> Sample:
            example = examples[index]
            name = name_of(example)
            image = images.decode_image(example["image_left"], name)
            data = example["segmentation_label"]
            label = train_ids(images.decode_label(data, f"label of {name}"), name)
            images.check_sizes(image, label, name, f"label of {name}")
            return Sample(name, image, label)

        # TFDS has unpacked the archives, whose checksums vouch for the files.
        return Samples(
            self.info,
            split,
            len(examples),
            read,
            checked=True,
            name=lambda index: name_of(examples[index]),
        )

    def inputs(self, split: str) -> dict[str, str]:
        return file_fingerprints(
            pathlib.Path(self.data_dir or ""), archives_of(split, self.data_dir)
        )


def _examples(config: str, archives: list[pathlib.Path]):
    digest = hashlib.sha256(config.encode())
    for path in archives:
        stat = path.stat()
        digest.update(f"{path.name} {stat.st_size} {stat.st_mtime_ns}\n".encode())

    def make_builder(prepared: str):
        import tensorflow_datasets as tfds  # pylint: disable=import-outside-toplevel

        return tfds.builder(f"cityscapes/{config}", data_dir=prepared)

    return tfds_source.prepared_splits(
        make_builder, "cityscapes", digest.hexdigest()[:16], archives[0].parent
    )
