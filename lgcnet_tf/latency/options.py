"""What the commands that time networks have in common."""

import dataclasses
import pathlib

import numpy as np

from lgcnet_tf.config import Options, option
from lgcnet_tf.convert.precision import PRECISIONS
from lgcnet_tf.data.images import decode_image, read_bytes
from lgcnet_tf.errors import InputError
from lgcnet_tf.files import fingerprint
from lgcnet_tf.latency.runtimes import RUNTIMES, Runtime, get_runtime
from lgcnet_tf.run_folder import Inputs

MOST_IMAGES = 32
_SUFFIXES = (".png", ".jpg", ".jpeg")


@dataclasses.dataclass(frozen=True, kw_only=True)
class RuntimeOptions(Options):
    """What to run a network on, and how."""

    runtime: str = option("tensorflow_graph", "What runs the network.", tuple(RUNTIMES))
    precision: str = option(
        "float32", "Number format of the computation, where the runtime has it.",
        PRECISIONS,
    )  # fmt: skip
    threads: int = option(
        0, "CPU threads; 0 leaves the choice to the runtime.", minimum=0
    )
    calibration_images: str = option(
        "", "Folder of PNG or JPEG files that int8 takes its ranges from; by default "
        "random pixels, which do for timing."
    )  # fmt: skip

    def make_runtime(self) -> Runtime:
        """The runtime that the options name.

        Raises:
            InputError: it cannot run here, or not so; no images.
        """
        images = ()
        if self.calibration_images:
            if self.precision != "int8":
                raise InputError(
                    "--calibration_images is for --precision=int8. Received: "
                    f"--precision={self.precision}"
                )
            images = read_images(self.calibration_images)
        return get_runtime(self.runtime, self.threads or None, self.precision, images)

    def calibration(self, runtime: Runtime) -> str | None:
        """What a runtime's `int8` was calibrated by, in words; None for others."""
        if runtime.precision != "int8":
            return None
        if not runtime.images:
            return "random pixels"
        return f"{len(runtime.images)} images of {self.calibration_images}"

    def calibration_inputs(self) -> Inputs:
        """Fingerprints of the pictures for `int8`."""
        if not self.calibration_images:
            return {}
        files = image_files(self.calibration_images)
        return {"--calibration_images": {f.name: fingerprint(f) for f in files}}


@dataclasses.dataclass(frozen=True, kw_only=True)
class BatchOptions(RuntimeOptions):
    """A runtime, and how many images it gets at a time."""

    batch_size: int = option(1, "Images of each call.", minimum=1, alias="batch")


def runtime_inputs(runtime: Runtime) -> Inputs:
    """A runtime and its device, where samples of two of them must not mix."""
    names = ("name", "version", "precision", "threads", "device")
    return {"runtime": {name: str(getattr(runtime, name)) for name in names}}


def image_files(folder: str) -> list[pathlib.Path]:
    """The first `MOST_IMAGES` pictures of a folder, by name.

    Raises:
        InputError: no such folder, or none in it.
    """
    path = pathlib.Path(folder)
    if not path.is_dir():
        raise InputError(f"--calibration_images: {folder}: no such folder.")
    files = [f for f in sorted(path.iterdir()) if f.suffix.lower() in _SUFFIXES]
    if not files:
        raise InputError(f"--calibration_images: {folder}: no PNG or JPEG files.")
    return files[:MOST_IMAGES]


def read_images(folder: str) -> tuple[np.ndarray, ...]:
    """The pictures of `image_files`, decoded.

    Raises:
        InputError: as `image_files`, or one is damaged.
    """
    return tuple(decode_image(read_bytes(f), str(f)) for f in image_files(folder))
