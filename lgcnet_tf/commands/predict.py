"""Having a server, or a model in this process, segment image files and videos."""

import dataclasses
import pathlib
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from lgcnet_tf.commands.prediction_folder import PredictionFolder
from lgcnet_tf.config import RunOptions, option
from lgcnet_tf.data import DatasetInfo, dataset_info
from lgcnet_tf.errors import InputError
from lgcnet_tf.serving.image_paths import image_files
from lgcnet_tf.serving.outputs import plan_outputs
from lgcnet_tf.serving.security import read_token
from lgcnet_tf.serving.settings import MODEL_NAME

SERVER = "127.0.0.1:8500"

if TYPE_CHECKING:  # imports TensorFlow
    from lgcnet_tf.serving.backend import Backend


@dataclasses.dataclass(frozen=True, kw_only=True)
class PredictOptions(RunOptions):
    """Options of the client."""

    TOPIC = "Prediction"
    POSITIONAL = "images"

    output_dir: str = option(
        "",
        "Folder of the pictures; by default each lies next to its image. Further calls "
        "with the same model add to it; a picture that is there is replaced only where "
        "lgcnet-predict made it of the same file.",
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
        "PNG or JPEG files, folders of them or patterns as 'street_*.jpg', and video "
        "files, commas between; names without a flag are the same.",
    )
    camera: int = option(
        -1, "Number of a camera whose pictures are segmented too, until Ctrl-C.",
        minimum=-1
    )  # fmt: skip
    max_frames: int = option(
        0, "Frames of each video and of the camera; 0 for all.", minimum=0
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
        if not self.images and self.camera < 0:
            yield (
                "--images is missing: PNG or JPEG files, folders, patterns or videos, "
                "commas between; or give --camera=0."
            )
        if self.model and self.server != SERVER:
            yield "--model runs here and --server elsewhere; give one of them."


def predict(options: PredictOptions) -> dict[str, Any]:
    """Has a server or a model segment images and videos; writes masks and overlays.

    They lie next to each file, or in `output_dir` where that is given, which several
    calls may add to.

    Names and colours of the classes come from the model. A file that
    cannot be read is named, and the others are done.

    Raises:
        InputError: a file could not be segmented, a picture would replace what
            this program did not write, no server, or the server's refusal.
    """

    options.check()
    dataset = dataset_info(options.dataset) if options.dataset else None
    folder = PredictionFolder(options) if options.output_dir else None
    ours = folder.videos if folder else None
    sources = _sources(options, ours)  # before anything is written
    if folder:
        folder.open()
    with _backend(options) as backend:
        summary = _segment(backend, dataset, sources, options, ours)
    if folder:
        summary = folder.finish(summary)
    if failed := [one["file"] for one in summary["failed"]]:
        raise InputError(
            f"{len(failed)} of {sum(map(len, sources))} images not segmented: "
            f"{', '.join(failed)}; the lines above say why."
        )
    return summary


def _sources(
    options: PredictOptions, ours: Mapping[str, str] | None = None
) -> tuple[list[str], list[str | int]]:
    """The images, and the videos and the camera.

    Args:
        ours: as for `plan_video`.

    Raises:
        InputError: none is there, or what would be written cannot be.
    """
    from lgcnet_tf.serving.video import is_video, plan_video

    videos: list[str | int] = [one for one in options.images if is_video(one)]
    images = image_files([one for one in options.images if not is_video(one)])
    if images and not any(pathlib.Path(image).exists() for image in images):
        raise InputError(
            f"{', '.join(images)}: no such image file; give PNG or JPEG files, folders of "
            "them or patterns."
        )
    if options.camera >= 0:
        videos.append(options.camera)
    plan_outputs(images, options.output_dir or None)
    plans = [plan_video(one, options.output_dir or None, ours) for one in videos]
    if twice := [str(path) for path in plans if plans.count(path) > 1]:
        raise InputError(
            f"{twice[0]}: two videos would be written there; give them one at "
            "a time, with different --output_dir."
        )
    return images, videos


def _segment(
    backend: "Backend",
    dataset: DatasetInfo | None,
    sources: tuple[list[str], list[str | int]],
    options: PredictOptions,
    ours: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Segments all sources and tells of each; what failed is in "failed"."""
    from lgcnet_tf.serving.backend import BadPicture, served_info, warm_up
    from lgcnet_tf.serving.predict_files import predict_files
    from lgcnet_tf.serving.video import predict_video

    def failed(message):
        print(message, file=sys.stderr, flush=True)

    info = served_info(backend, dataset)
    warm_up(backend)
    images, videos = sources
    summary: dict[str, Any] = {"files": [], "failed": []}
    if images:
        summary = predict_files(
            backend, info, images, options.output_dir or None, failed=failed
        )
    for file in summary["files"]:
        _tell(file, f"{file['latency_ms']:.1f} ms")
    if videos:
        summary["videos"] = []
    for video in videos:
        try:
            done = predict_video(
                backend,
                info,
                video,
                options.output_dir or None,
                options.max_frames,
                ours=ours,
            )
        except BadPicture as error:
            failed(str(error))
            summary["failed"].append({"file": str(video), "error": str(error)})
            continue
        summary["videos"].append(done)
        _tell(done, f"{done['frames']} frames, {done['latency_ms']:.1f} ms each")
    return summary


def _tell(file: dict[str, Any], speed: str) -> None:
    largest = sorted(file["class_percentages"].items(), key=lambda item: -item[1])
    shares = ", ".join(f"{name} {share:.0f} %" for name, share in largest[:4])
    print(f"{file['overlay']}: {shares}; {speed}")


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
