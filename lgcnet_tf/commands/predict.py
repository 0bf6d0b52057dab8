"""Having a server, or a model in this process, segment image files."""

import dataclasses
import pathlib
import sys
from collections.abc import Iterator
from typing import Any

from lgcnet_tf.config import RunOptions, option
from lgcnet_tf.data import dataset_info
from lgcnet_tf.errors import InputError
from lgcnet_tf.run_folder import RunFolder
from lgcnet_tf.serving.image_paths import image_files
from lgcnet_tf.serving.outputs import plan_outputs
from lgcnet_tf.serving.security import read_token
from lgcnet_tf.serving.settings import MODEL_NAME

SERVER = "127.0.0.1:8500"


@dataclasses.dataclass(frozen=True, kw_only=True)
class PredictOptions(RunOptions):
    """Options of the client."""

    TOPIC = "Prediction"

    output_dir: str = option(
        "", "Folder of the pictures; by default each lies next to its image."
    )

    dataset: str = option(
        "", "Data set whose classes the model has, for a model exported before it "
        "said so itself."
    )  # fmt: skip
    model: str = option(
        "", "Run this model here, without a server: a name of the zoo, a .keras file, a "
        "SavedModel's folder, an ONNX, OpenVINO or LiteRT file."
    )  # fmt: skip
    server: str = option(SERVER, "Address of the server.")
    name: str = option(MODEL_NAME, "Name under which the model is served.")
    images: tuple[str, ...] = option(
        (),
        "PNG or JPEG files, folders of them or patterns as 'street_*.jpg', commas "
        "between.",
        needed="PNG or JPEG files, commas between.",
    )
    timeout_s: float = option(30.0, "Longest wait for an answer, in seconds.", above=0)
    wait_s: float = option(0.0, "Longest wait for the server to be ready, in seconds.")
    ssl_ca: str = option(
        "", "PEM file of who signed the server's certificate; no TLS without it."
    )
    ssl_certificate: str = option("", "PEM file that a server of mutual TLS wants.")
    ssl_key: str = option("", "PEM file of its key.")
    token_file: str = option("", "File of the bearer token that the server wants.")

    def problems(self) -> Iterator[str]:
        yield from super().problems()
        if self.model and self.server != SERVER:
            yield "--model runs here and --server elsewhere; give one of them."


def predict(options: PredictOptions) -> dict[str, Any]:
    """Has a server or a model segment image files; writes colour mask and overlay.

    They lie next to each image, or in `output_dir` where that is given.

    Names and colours of the classes come from the model. An image that
    cannot be read is named, and the others are done.

    Raises:
        InputError: an image could not be segmented, a picture would replace what
            this program did not write, no server, or the server's refusal.
    """
    from lgcnet_tf.serving.predict_files import predict_files, served_info

    options.check()
    dataset = dataset_info(options.dataset) if options.dataset else None
    if not options.images:
        raise InputError("--images is missing: PNG or JPEG files, commas between.")
    images = image_files(options.images)
    if not any(pathlib.Path(image).exists() for image in images):
        raise InputError(f"{', '.join(images)}: no such image file.")
    plan_outputs(images, options.output_dir or None)  # before anything is
    folder = RunFolder(options, "predict") if options.output_dir else None
    with _backend(options) as client:
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


def _backend(options: PredictOptions):
    """What segments the files: a model in this process, or a server that is ready."""
    if options.model:
        from lgcnet_tf.serving.local_model import LocalModel

        return LocalModel(options.model)
    from lgcnet_tf.serving.client import Client

    client = Client(
        options.server,
        options.name,
        options.timeout_s,
        ca=options.ssl_ca,
        certificate=options.ssl_certificate,
        key=options.ssl_key,
        token=read_token(options.token_file) if options.token_file else "",
    )
    if options.wait_s:
        client.wait_until_ready(options.wait_s)
    return client
