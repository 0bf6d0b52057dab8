"""Exporting a network for serving or another runtime."""

import dataclasses
import pathlib
from collections.abc import Iterator
from typing import Any

from lgcnet_tf.config import RunOptions, Size, option
from lgcnet_tf.data import DatasetInfo, dataset_info, dataset_names
from lgcnet_tf.data.folder import FOLDER
from lgcnet_tf.data.geometry import DEFAULT_FIT, FITS
from lgcnet_tf.data.registry import classes_stand_in_folder
from lgcnet_tf.errors import InputError
from lgcnet_tf.latency.options import PrecisionOptions
from lgcnet_tf.run_folder import Lock, RunFolder
from lgcnet_tf.serving.settings import FORMATS, TENSORRT, TFTRT

SAVED_MODEL = "saved_model"


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExportOptions(RunOptions, PrecisionOptions):
    """Options of an export."""

    TOPIC = "Export"

    dataset: str = option(
        "", "Data set whose classes the model has, for one that does not know them, "
        "and from whose training split int8 takes its ranges; by default the model's."
    )  # fmt: skip
    data_dir: str = option("", "Folder of the data set's files.")
    model: str = option(
        "",
        "Zoo name or .keras file.",
        needed="the model.keras of a finetuning, or a name of the model zoo.",
    )
    input_size: Size | None = option(None, "HxW; by default the model's own.")
    export_dir: str = option(
        "", "Folder of the version folders; by default saved_model in --output_dir."
    )
    version: int = option(
        0, "Number of the version folder; 0 for one more than the newest.", minimum=0
    )
    scores: bool = option(False, "Also return the classes' probabilities.")
    format: str = option(
        SAVED_MODEL, "A SavedModel; a file for another runtime, in --export_dir, by "
        "default in --output_dir; an engine for this machine's GPU; or what TF-TRT "
        "of TensorFlow 2.17 converts for TensorFlow Serving's GPU image, with the "
        "script for that.", (SAVED_MODEL, *FORMATS, TENSORRT, TFTRT)
    )  # fmt: skip
    fit: str = option(
        DEFAULT_FIT, "How pictures of another size than the network's are brought to "
        "it: stretched; with their proportions kept and margins; or in overlapping "
        "tiles of their own scale.", FITS
    )  # fmt: skip
    batch_size: int = option(
        1,
        "Images of each call of such a file; a SavedModel takes any number.",
        minimum=1,
    )

    def problems(self) -> Iterator[str]:
        yield from super().problems()
        whole = self.format == SAVED_MODEL
        if whole and self.batch_size != 1:
            yield (
                "--batch_size is for files; a SavedModel takes any batch. Leave it out, or "
                "give a --format such as onnx."
            )
        if whole and self.precision != "float32":
            yield (
                "--precision is for files, as of --format=onnx; a SavedModel computes in "
                "float32. "
                f"Received: --precision={self.precision}"
            )
        reads = self.precision == "int8" and not self.calibration_images
        reads = reads or (self.dataset and classes_stand_in_folder(self.dataset))
        if self.data_dir and not reads:
            yield (
                "--data_dir is for --precision=int8 without --calibration_images, or "
                "for a --dataset whose classes stand there."
            )
        if not whole and (self.version or self.scores):
            yield (
                "--version and --scores are for --format=saved_model; leave them out."
            )


def export(options: ExportOptions) -> dict[str, Any]:
    """Deploys a network; writes a version folder for TensorFlow Serving or a file.

    Raises:
        InputError: bad options or model, or an untrained genotype.
    """
    import keras

    from lgcnet_tf.evaluation.macs import count_macs
    from lgcnet_tf.evaluation.model_files import check_loadable
    from lgcnet_tf.model.deploy import deploy
    from lgcnet_tf.model.zoo import load_network
    from lgcnet_tf.serving.export import export_saved_model
    from lgcnet_tf.serving.export_files import export_file, runtime_of
    from lgcnet_tf.serving.export_tftrt import export_tftrt

    options.check()
    if options.model.endswith(".json"):
        raise InputError(
            f"{options.model}: a genotype has no weights; export what lgcnet-finetune "
            "made of it."
        )
    if keras.backend.backend() != "tensorflow":
        raise InputError("An export needs KERAS_BACKEND=tensorflow.")
    if options.format == SAVED_MODEL:
        check_loadable(options.export_dir or options.output_dir)
    network = load_network(options.model, options.input_size)
    info = _classes_of(network, options)
    dataset = options.dataset or _dataset_named(info, options.data_dir)
    images = options.representative_images(dataset, options.data_dir)
    images.fit = options.fit
    if options.format == TENSORRT or (
        options.format in FORMATS and options.precision != "float32"
    ):
        runtime_of(options.format, options.precision, images)
    folder = RunFolder(options, "export")
    lock = _lock_of(options.export_dir)  # for as long as this function runs
    deployed = deploy(network)
    metadata = {
        "model": pathlib.Path(options.model).name,
        "genotype": network.genotype.to_dict(),
        "params": network.count_params(),
        "macs": count_macs(deployed),
    }
    if options.format == SAVED_MODEL:
        path = export_saved_model(
            deployed,
            options.export_dir or folder / SAVED_MODEL,
            info,
            options.version or None,
            options.scores,
            metadata,
            deployed.input_size,
            deployed.num_classes,
            options.fit,
        )
    elif options.format == TFTRT:
        path = export_tftrt(
            deployed,
            options.export_dir or folder / TFTRT,
            info,
            options.batch_size,
            metadata,
            options.precision,
            images,
            options.fit,
        )
        print(f"TensorFlow here has no TF-TRT: {path} converts it where 2.17 is.")
    else:
        path = export_file(
            deployed,
            options.export_dir or folder.path,
            info,
            options.format,
            options.batch_size,
            metadata,
            options.precision,
            images,
            options.fit,
        )
    del lock
    return folder.finish(
        {
            options.format: str(path),
            "input_size": list(deployed.input_size),
            "precision": options.precision,
            "fit": options.fit,
            "params": metadata["params"],
            "macs": metadata["macs"],
        },
        path,
    )


def _classes_of(network, options: ExportOptions) -> DatasetInfo:
    """The classes that the network knows, or else those of the data set named.

    Raises:
        InputError: neither is there, or the two differ.
    """
    own = network.genotype.classes
    if not options.dataset:
        if own is None:
            raise InputError(
                f"{options.model} was made by an older version and does not know its "
                f"{network.num_classes} classes; name its data set with --dataset."
            )
        return own
    info = dataset_info(options.dataset, options.data_dir or None)
    if info.num_classes != network.num_classes:
        raise InputError(
            f"--dataset={info.name} has {info.num_classes} classes, the model "
            f"{network.num_classes}; name the one that it was trained on, or leave out "
            "--dataset."
        )
    if own is not None and own.class_names != info.class_names:
        raise InputError(
            f"{options.model} has the classes of {own.name}, not those of {info.name}; "
            "leave out --dataset."
        )
    return own or info


def _dataset_named(info: DatasetInfo, data_dir: str) -> str:
    """The data set that a network's classes are of; empty where it is not known."""
    if info.name in dataset_names():
        return info.name
    return FOLDER if data_dir else ""


def _lock_of(export_dir: str) -> Lock | None:
    """Keeps other exports out of a folder that is not the run's own."""
    if not export_dir:
        return None
    try:
        pathlib.Path(export_dir).mkdir(parents=True, exist_ok=True)
        return Lock(export_dir)
    except FileExistsError:
        raise InputError(
            f"{export_dir}: a file; a folder is needed. Name another --export_dir."
        ) from None
    except OSError as error:
        raise InputError(
            f"{export_dir}: cannot write there: {error.strerror}. Name another "
            "--export_dir."
        ) from None
