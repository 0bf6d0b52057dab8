"""Exporting a network for serving or another runtime."""

import dataclasses
import pathlib
from collections.abc import Iterator
from typing import Any

from lgcnet_tf.config import RunOptions, Size, option
from lgcnet_tf.data import dataset_info
from lgcnet_tf.data.geometry import DEFAULT_FIT, FITS
from lgcnet_tf.errors import InputError
from lgcnet_tf.latency.options import PrecisionOptions
from lgcnet_tf.run_folder import Lock, RunFolder
from lgcnet_tf.serving.settings import FORMATS

SAVED_MODEL = "saved_model"


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExportOptions(RunOptions, PrecisionOptions):
    """Options of an export."""

    TOPIC = "Export"

    dataset: str = option("toy_streets", "Data set whose classes the model has.")
    data_dir: str = option(
        "", "Folder of the data set's files; int8 takes its ranges from their "
        "training split."
    )  # fmt: skip
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
        SAVED_MODEL, "A SavedModel, or a file for another runtime; the file lies in "
        "--export_dir, by default in --output_dir.", (SAVED_MODEL, *FORMATS)
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
            yield ("--batch_size is for files; a SavedModel takes any batch.")
        if whole and self.precision != "float32":
            yield (
                "--precision is for files; a SavedModel computes in float32. "
                f"Received: --precision={self.precision}"
            )
        if self.data_dir and (self.precision != "int8" or self.calibration_images):
            yield ("--data_dir is for --precision=int8 without --calibration_images.")
        if not whole and (self.version or self.scores):
            yield ("--version and --scores are for --format=saved_model.")


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
    info = dataset_info(options.dataset)
    images = options.representative_images(options.dataset, options.data_dir)
    images.fit = options.fit
    if options.format != SAVED_MODEL and options.precision != "float32":
        runtime_of(options.format, options.precision, images)
    network = load_network(options.model, options.input_size)
    if network.num_classes != info.num_classes:
        raise InputError(
            f"--dataset={info.name} has {info.num_classes} classes, the model "
            f"{network.num_classes}."
        )
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
        }
    )


def _lock_of(export_dir: str) -> Lock | None:
    """Keeps other exports out of a folder that is not the run's own."""
    if not export_dir:
        return None
    try:
        pathlib.Path(export_dir).mkdir(parents=True, exist_ok=True)
        return Lock(export_dir)
    except FileExistsError:
        raise InputError(f"{export_dir}: a file; a folder is needed.") from None
    except OSError as error:
        raise InputError(
            f"{export_dir}: cannot write there: {error.strerror}."
        ) from None
