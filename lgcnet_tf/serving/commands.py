"""Export, serve and predict as commands."""

import dataclasses
import pathlib
import sys
from typing import Any

import keras

from lgcnet_tf.config import Options, RunOptions, Size, option
from lgcnet_tf.data import DatasetInfo, dataset_info, dataset_names
from lgcnet_tf.data.folder import FOLDER
from lgcnet_tf.data.geometry import DEFAULT_FIT, FITS
from lgcnet_tf.data.registry import classes_stand_in_folder
from lgcnet_tf.errors import InputError
from lgcnet_tf.evaluation.macs import count_macs
from lgcnet_tf.evaluation.model_files import check_loadable
from lgcnet_tf.latency.options import PrecisionOptions
from lgcnet_tf.model.deploy import deploy
from lgcnet_tf.model.network import Network
from lgcnet_tf.model.zoo import load_network
from lgcnet_tf.run_folder import Lock, RunFolder
from lgcnet_tf.serving.client import Client
from lgcnet_tf.serving.export import export_saved_model
from lgcnet_tf.serving.export_files import FORMATS, export_file, runtime_of
from lgcnet_tf.serving.outputs import plan_outputs
from lgcnet_tf.serving.predict_files import predict_files, served_info
from lgcnet_tf.serving.server import Server

SAVED_MODEL = "saved_model"
MODEL_NAME = "lgcnet"


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExportOptions(RunOptions, PrecisionOptions):
    """Options of an export."""

    dataset: str = option(
        "", "Data set whose classes the model has, for one that does not know them, "
        "and from whose training split int8 takes its ranges; by default the model's."
    )  # fmt: skip
    data_dir: str = option("", "Folder of the data set's files.")
    model: str = option("", "Zoo name or .keras file.")
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

    def check(self) -> None:
        super().check()
        whole = self.format == SAVED_MODEL
        if whole and self.batch_size != 1:
            raise InputError("--batch_size is for files; a SavedModel takes any batch.")
        if whole and self.precision != "float32":
            raise InputError(
                "--precision is for files; a SavedModel computes in float32. "
                f"Received: --precision={self.precision}"
            )
        reads = self.precision == "int8" and not self.calibration_images
        reads = reads or (self.dataset and classes_stand_in_folder(self.dataset))
        if self.data_dir and not reads:
            raise InputError(
                "--data_dir is for --precision=int8 without --calibration_images, or "
                "for a --dataset whose classes stand there."
            )
        if not whole and (self.version or self.scores):
            raise InputError("--version and --scores are for --format=saved_model.")


def export(options: ExportOptions) -> dict[str, Any]:
    """Deploys a network; writes a version folder for TensorFlow Serving or a file.

    Raises:
        InputError: bad options or model, or an untrained genotype.
    """
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
    if options.format != SAVED_MODEL and options.precision != "float32":
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


def _classes_of(network: Network, options: ExportOptions) -> DatasetInfo:
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
            f"{network.num_classes}."
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
        raise InputError(f"{export_dir}: a file; a folder is needed.") from None
    except OSError as error:
        raise InputError(
            f"{export_dir}: cannot write there: {error.strerror}."
        ) from None


@dataclasses.dataclass(frozen=True, kw_only=True)
class ServeOptions(Options):
    """Options of the embedded server; it writes nothing."""

    model: str = option("", "Folder of the exported versions.")
    name: str = option(MODEL_NAME, "Name under which the model is served.")
    host: str = option("127.0.0.1", "Address to listen on.")
    port: int = option(8500, "Port to listen on.")
    max_message_mb: int = option(256, "Largest request and answer, in MiB.", minimum=1)


def serve(options: ServeOptions) -> None:
    """Serves until SIGTERM or SIGINT.

    Raises:
        InputError: no model there, or the port is in use.
    """
    options.check()
    if not options.model:
        raise InputError("--model is missing: the saved_model folder of an export.")
    server = Server(
        {options.name: options.model},
        options.host,
        options.port,
        options.max_message_mb,
    )
    server.start()
    print(
        f"Serving {options.name} version {server.versions[options.name]} on "
        f"{server.target}; SIGTERM or Ctrl-C ends it.",
        flush=True,
    )
    server.serve_forever()


@dataclasses.dataclass(frozen=True, kw_only=True)
class PredictOptions(RunOptions):
    """Options of the client."""

    dataset: str = option(
        "", "Data set whose classes the model has, for a model exported before it "
        "said so itself."
    )  # fmt: skip
    server: str = option("127.0.0.1:8500", "Address of the server.")
    name: str = option(MODEL_NAME, "Name under which the model is served.")
    images: tuple[str, ...] = option((), "PNG or JPEG files, commas between.")
    timeout_s: float = option(30.0, "Longest wait for an answer, in seconds.", above=0)
    wait_s: float = option(0.0, "Longest wait for the server to be ready, in seconds.")


def predict(options: PredictOptions) -> dict[str, Any]:
    """Has a server segment image files; writes colour mask and overlay.

    They lie next to each image, or in `output_dir` where that is given.

    Names and colours of the classes come from the served model. An image that
    cannot be read is named, and the others are done.

    Raises:
        InputError: an image could not be segmented, a picture would replace what
            this program did not write, no server, or the server's refusal.
    """
    options.check()
    dataset = dataset_info(options.dataset) if options.dataset else None
    if not options.images:
        raise InputError("--images is missing: PNG or JPEG files, commas between.")
    if not any(pathlib.Path(image).exists() for image in options.images):
        raise InputError(f"{', '.join(options.images)}: no such image file.")
    plan_outputs(options.images, options.output_dir or None)  # before anything is
    folder = RunFolder(options, "predict") if options.output_dir else None
    with Client(options.server, options.name, options.timeout_s) as client:
        if options.wait_s:
            client.wait_until_ready(options.wait_s)
        summary = predict_files(
            client,
            served_info(client, dataset),
            options.images,
            options.output_dir or None,
            failed=lambda message: print(message, file=sys.stderr, flush=True),
        )
    for file in summary["files"]:
        largest = sorted(file["class_percentages"].items(), key=lambda item: -item[1])
        shares = ", ".join(f"{name} {share:.0f} %" for name, share in largest[:4])
        print(f"{file['overlay']}: {shares}; {file['latency_ms']:.1f} ms")
    if failed := [one["file"] for one in summary["failed"]]:
        raise InputError(
            f"{len(failed)} of {len(options.images)} images not segmented: "
            f"{', '.join(failed)}."
        )
    return folder.finish(summary) if folder else summary
