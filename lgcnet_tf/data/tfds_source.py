"""Preparing data sets with TFDS and reading them back by index."""

import contextlib
import fcntl
import importlib
import importlib.util
import os
import pathlib
import shutil
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from absl import logging

from lgcnet_tf.data import images
from lgcnet_tf.data.dataset import Dataset, read_directly
from lgcnet_tf.data.samples import Sample, Samples
from lgcnet_tf.errors import InputError

# TFDS asks for the last one without declaring it.
_NEEDED = (
    "tensorflow",
    "tensorflow_datasets",
    "array_record",
    "importlib_resources",
)


def available() -> bool:
    """Whether TFDS can prepare and read data sets here."""
    return all(importlib.util.find_spec(name) for name in _NEEDED)


def cache_folder() -> pathlib.Path:
    """`$TFDS_DATA_DIR/lgcnet_tf`, or `~/.cache/lgcnet_tf` where that is unset."""
    if folder := os.environ.get("TFDS_DATA_DIR"):
        return pathlib.Path(folder).expanduser() / "lgcnet_tf"
    return pathlib.Path.home() / ".cache" / "lgcnet_tf"


def load_prepared(
    dataset: Dataset,
    split: str,
    data_dir: str | os.PathLike | None = None,
    fingerprint: str = "",
) -> Samples:
    """A split of a data set of this package through its TFDS builder.

    The builder checks every sample and keeps a prepared copy in `cache_folder()`.
    Where TFDS is not installed the samples are read directly; they are the same.

    Args:
        dataset, split, data_dir: what to load.
        fingerprint: of the split alone, for a builder with an `only_split`: what is
            wrong with another split's files is not looked at then.

    Raises:
        InputError: bad files, or the cache cannot be written.
    """
    if not available():
        return read_directly(dataset, split)
    name = dataset.info.name

    def make_builder(folder: str):
        module = importlib.import_module(
            f"lgcnet_tf.data.{name}.{name}_dataset_builder"
        )
        builder = module.Builder(data_dir=folder)
        if fingerprint:
            builder.only_split = split
        return builder

    state = fingerprint or dataset.fingerprint()
    examples = prepared_splits(make_builder, name, state, data_dir)
    examples, entries = examples[split], dataset.splits[split]

    def read(index: int) -> Sample:
        example, where = examples[index], entries[index].name
        return Sample(
            where,
            images.decode_image(example["image"], where),
            images.decode_label(example["label"], where),
        )

    return Samples(
        dataset.info,
        split,
        len(examples),
        read,
        checked=True,
        name=lambda index: entries[index].name,
    )


def prepared_splits(
    make_builder: Callable[[str], Any],
    name: str,
    fingerprint: str,
    manual_dir: str | os.PathLike | None,
) -> dict[str, Sequence[dict[str, Any]]]:
    """Opens a data set by index, after preparing it when that is still to do.

    Args:
        make_builder: makes the TFDS builder for a folder of prepared data.
        name: names the folder in the cache, with the fingerprint.
        fingerprint: changes with the source data, so that data prepared from
            an older state are not used.
        manual_dir: folder of the source data.

    Returns:
        For each split its examples, pictures still encoded.

    Raises:
        InputError: the source data are bad, or the cache cannot be written.
    """
    import tensorflow_datasets as tfds  # pylint: disable=import-outside-toplevel

    folder = cache_folder() / f"{name}-{fingerprint}"
    logging.info("Using %s, prepared in %s.", name, folder)
    try:
        with _lock(folder), _quiet():
            builder = make_builder(str(folder))
            if not builder.is_prepared():
                _prepare(tfds, builder, folder, manual_dir)
    except OSError as error:
        raise InputError(
            f"{folder}: prepared data cannot be written here ({error}). Set "
            "TFDS_DATA_DIR to a folder with space."
        ) from None
    return _by_index(tfds, builder)


def prepared_classification(
    dataset: str, manual_dir: str | os.PathLike | None
) -> tuple[Any, dict[str, Sequence[dict[str, Any]]]]:
    """A classification set of TFDS by index, after preparing it if that is to do.

    A copy that TFDS prepared before is used where it can be read by index (its file
    format is ArrayRecord); else one is made in `cache_folder()`.

    Args:
        dataset: its name in TFDS, with config and version where wanted.
        manual_dir: folder of what TFDS cannot download, or None.

    Returns:
        The builder, whose `info` names the classes, and for each split its
        examples, pictures still encoded.

    Raises:
        InputError: there is no such set, it is no classification, or it cannot be
            prepared.
    """
    import tensorflow_datasets as tfds  # pylint: disable=import-outside-toplevel

    folder = cache_folder() / "tfds"
    try:
        with _quiet():
            builder = tfds.builder(dataset)
            by_index = builder.is_prepared() and builder.info.file_format is not None
            if not by_index or builder.info.file_format.value != "array_record":
                builder = tfds.builder(dataset, data_dir=str(folder))
    except Exception as error:  # TFDS raises many kinds
        raise InputError(
            f"{dataset}: no such data set of TFDS "
            f"({_line(error).partition(' Available datasets')[0]})."
        ) from None
    keys = builder.info.supervised_keys or ()
    kinds = tuple(type(builder.info.features[key]) for key in keys if type(key) is str)
    if kinds != (tfds.features.Image, tfds.features.ClassLabel):
        raise InputError(f"{dataset}: not a set of images with one class each.")
    try:
        with _lock(folder / dataset.replace("/", "_").replace(":", "_")), _quiet():
            if not builder.is_prepared():
                _prepare(tfds, builder, folder, manual_dir)
    except Exception as error:  # of downloads, archives, disks
        raise InputError(
            f"{dataset}: TFDS cannot prepare it in {folder} "
            f"(--data_dir={manual_dir or ''}, which needs what it cannot download): "
            f"{_line(error)}"
        ) from None
    return builder, _by_index(tfds, builder)


def _line(error: Exception) -> str:
    """An error's text in one line that is not too long."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]


def _by_index(tfds, builder) -> dict[str, Sequence[dict[str, Any]]]:
    skip = {
        key: tfds.decode.SkipDecoding()
        for key, feature in builder.info.features.items()
        if isinstance(feature, tfds.features.Image)
    }
    return {
        split: builder.as_data_source(split, decoders=skip)
        for split in builder.info.splits
    }


def _prepare(tfds, builder, folder: pathlib.Path, manual_dir) -> None:
    tfds.disable_progress_bar()
    config = tfds.download.DownloadConfig(
        manual_dir=None if manual_dir is None else os.path.abspath(manual_dir)
    )
    try:
        builder.download_and_prepare(
            download_config=config,
            download_dir=str(folder / "downloads"),
            file_format="array_record",
        )
    finally:
        shutil.rmtree(folder / "downloads", ignore_errors=True)


@contextlib.contextmanager
def _lock(folder: pathlib.Path) -> Iterator[None]:
    """Lets one process at a time prepare a folder."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(f"{folder}.lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keeps TFDS' talk of downloads and unknown sizes from the terminal."""
    verbosity = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)
    try:
        with open(os.devnull, "w") as null, contextlib.redirect_stdout(null):
            yield
    finally:
        logging.set_verbosity(verbosity)
