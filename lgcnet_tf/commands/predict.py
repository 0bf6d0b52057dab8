"""Having a server segment image files."""

import dataclasses
import pathlib
import sys
from typing import Any

from lgcnet_tf.config import RunOptions, option
from lgcnet_tf.data import dataset_info
from lgcnet_tf.errors import InputError
from lgcnet_tf.run_folder import RunFolder
from lgcnet_tf.serving.image_paths import image_files
from lgcnet_tf.serving.outputs import plan_outputs
from lgcnet_tf.serving.security import read_token
from lgcnet_tf.serving.settings import MODEL_NAME


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
    server: str = option("127.0.0.1:8500", "Address of the server.")
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


def predict(options: PredictOptions) -> dict[str, Any]:
    """Has a server segment image files; writes colour mask and overlay.

    They lie next to each image, or in `output_dir` where that is given.

    Names and colours of the classes come from the served model. An image that
    cannot be read is named, and the others are done.

    Raises:
        InputError: an image could not be segmented, a picture would replace what
            this program did not write, no server, or the server's refusal.
    """
    from lgcnet_tf.serving.client import Client
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
