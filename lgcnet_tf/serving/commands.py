"""Export, serve and predict as commands."""

import dataclasses
import os
import pathlib
import sys
from typing import Any

import keras

from lgcnet_tf.config import RunOptions, Size, option
from lgcnet_tf.data import dataset_info
from lgcnet_tf.data.geometry import DEFAULT_FIT, FITS
from lgcnet_tf.errors import InputError
from lgcnet_tf.evaluation.macs import count_macs
from lgcnet_tf.evaluation.model_files import check_loadable
from lgcnet_tf.latency.options import PrecisionOptions
from lgcnet_tf.model.deploy import deploy
from lgcnet_tf.model.zoo import load_network
from lgcnet_tf.run_folder import Lock, RunFolder
from lgcnet_tf.serving.batching import read_batching_parameters
from lgcnet_tf.serving.client import Client
from lgcnet_tf.serving.export import export_saved_model
from lgcnet_tf.serving.export_files import FORMATS, export_file, runtime_of
from lgcnet_tf.serving.image_paths import image_files
from lgcnet_tf.serving.limits import Limits
from lgcnet_tf.serving.outputs import plan_outputs
from lgcnet_tf.serving.predict_files import predict_files, served_info
from lgcnet_tf.serving.security import Tls, exposure, read_token
from lgcnet_tf.serving.server import Server

SAVED_MODEL = "saved_model"
MODEL_NAME = "lgcnet"


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExportOptions(RunOptions, PrecisionOptions):
    """Options of an export."""

    dataset: str = option("toy_streets", "Data set whose classes the model has.")
    data_dir: str = option(
        "", "Folder of the data set's files; int8 takes its ranges from their "
        "training split."
    )  # fmt: skip
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
        if self.data_dir and (self.precision != "int8" or self.calibration_images):
            raise InputError(
                "--data_dir is for --precision=int8 without --calibration_images."
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


@dataclasses.dataclass(frozen=True, kw_only=True)
class ServeOptions(Limits):
    """Options of the embedded server; it writes nothing."""

    model: str = option("", "Folder of the exported versions.")
    name: str = option(MODEL_NAME, "Name under which the model is served.")
    model_config_file: str = option(
        "", "Text proto of the models to serve, as TensorFlow Serving's, instead of "
        "--model."
    )  # fmt: skip
    file_system_poll_wait_seconds: float = option(
        1.0, "Seconds between two looks for new versions and for changes of "
        "--model_config_file; 0 to load once.", minimum=0
    )  # fmt: skip
    batching_parameters_file: str = option(
        "", "Text proto as TensorFlow Serving's, to run requests of several clients as "
        "one batch."
    )  # fmt: skip
    host: str = option("127.0.0.1", "Address to listen on.")
    port: int = option(8500, "Port of gRPC.")
    rest_api_port: int = option(0, "Port of REST and the metrics; 0 for none.")
    enable_serialization_as_tensor_content: bool = option(
        False, "Answer numbers as bytes instead of in typed fields."
    )
    ssl_certificate: str = option("", "PEM file of the certificate, for TLS.")
    ssl_key: str = option("", "PEM file of its key.")
    ssl_client_ca: str = option(
        "", "PEM file of who signs the certificates that clients must then show."
    )
    token_file: str = option(
        "", "File of the bearer token that clients must then send; health checks of "
        "gRPC need none."
    )  # fmt: skip
    lame_duck_s: float = option(
        0.0, "Seconds after SIGTERM for which requests are still answered, while health "
        "checks say NOT_SERVING.", minimum=0
    )  # fmt: skip
    grace_s: float = option(
        5.0, "Seconds that what is under way then has to end.", minimum=0
    )

    def check(self) -> None:
        super().check()
        if bool(self.model) == bool(self.model_config_file):
            raise InputError(
                "--model is missing: the saved_model folder of an export; or "
                "--model_config_file, and not both."
            )
        if bool(self.ssl_certificate) != bool(self.ssl_key) or (
            self.ssl_client_ca and not self.ssl_key
        ):
            raise InputError(
                "TLS needs --ssl_certificate and --ssl_key; --ssl_client_ca is for both."
            )


def serve(options: ServeOptions) -> None:
    """Serves until SIGTERM or SIGINT.

    Raises:
        InputError: no model there, or the port is in use.
    """
    options.check()
    tls = None
    if options.ssl_key:
        tls = Tls(options.ssl_certificate, options.ssl_key, options.ssl_client_ca)
    token = read_token(options.token_file) if options.token_file else ""
    batching = None
    if options.batching_parameters_file:
        batching = read_batching_parameters(options.batching_parameters_file)
    server = Server(
        {options.name: options.model} if options.model else None,
        options.host,
        options.port,
        options.rest_api_port or None,
        model_config_file=options.model_config_file,
        poll_wait_s=options.file_system_poll_wait_seconds,
        batching=batching,
        as_content=options.enable_serialization_as_tensor_content,
        tls=tls,
        token=token,
        **{one.name: getattr(options, one.name) for one in dataclasses.fields(Limits)},
    )
    if warning := exposure(options.host, tls, token):
        print(f"lgcnet-serve: {warning}", file=sys.stderr, flush=True)
    server.start()
    served = ", ".join(f"{name} version {v}" for name, v in server.versions.items())
    print(
        f"Serving {served} on {server.target}; SIGTERM or Ctrl-C ends it.", flush=True
    )
    if not server.serve_forever(options.grace_s, options.lame_duck_s):
        # What still computes is given up; ending in order would wait for it.
        sys.stdout.flush()
        os._exit(0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class PredictOptions(RunOptions):
    """Options of the client."""

    dataset: str = option(
        "", "Data set whose classes the model has, for a model exported before it "
        "said so itself."
    )  # fmt: skip
    server: str = option("127.0.0.1:8500", "Address of the server.")
    name: str = option(MODEL_NAME, "Name under which the model is served.")
    images: tuple[str, ...] = option(
        (), "PNG or JPEG files, folders of them or patterns as 'street_*.jpg', commas "
        "between."
    )  # fmt: skip
    timeout_s: float = option(30.0, "Longest wait for an answer, in seconds.", above=0)
    wait_s: float = option(0.0, "Longest wait for the server to be ready, in seconds.")
    ssl_ca: str = option(
        "", "PEM file of who signed the server's certificate; no TLS without it."
    )
    ssl_certificate: str = option("", "PEM file that a server of mutual TLS wants.")
    ssl_key: str = option("", "PEM file of its key.")
    token_file: str = option("", "File of the bearer token that the server wants.")


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
    images = image_files(options.images)
    if not any(pathlib.Path(image).exists() for image in images):
        raise InputError(f"{', '.join(images)}: no such image file.")
    plan_outputs(images, options.output_dir or None)  # before anything is
    folder = RunFolder(options, "predict") if options.output_dir else None
    client = Client(
        options.server,
        options.name,
        options.timeout_s,
        ca=options.ssl_ca,
        certificate=options.ssl_certificate,
        key=options.ssl_key,
        token=read_token(options.token_file) if options.token_file else "",
    )
    with client:
        if options.wait_s:
            client.wait_until_ready(options.wait_s)
        summary = predict_files(
            client,
            served_info(client, dataset),
            images,
            options.output_dir or None,
            failed=lambda message: print(message, file=sys.stderr, flush=True),
        )
    for file in summary["files"]:
        largest = sorted(file["class_percentages"].items(), key=lambda item: -item[1])
        shares = ", ".join(f"{name} {share:.0f} %" for name, share in largest[:4])
        print(f"{file['overlay']}: {shares}; {file['latency_ms']:.1f} ms")
    if failed := [one["file"] for one in summary["failed"]]:
        raise InputError(
            f"{len(failed)} of {len(images)} images not segmented: {', '.join(failed)}."
        )
    return folder.finish(summary) if folder else summary
