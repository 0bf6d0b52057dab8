"""What the commands that time or export networks have in common."""

import dataclasses
import logging
from typing import TYPE_CHECKING

from lgcnet_tf.config import Options, option
from lgcnet_tf.convert.settings import CALIBRATION_METHODS, PRECISIONS
from lgcnet_tf.errors import InputError
from lgcnet_tf.files import fingerprint
from lgcnet_tf.run_folder import Inputs
from lgcnet_tf.runtimes.settings import ALL_RUNTIMES, default_runtime

if TYPE_CHECKING:  # these are heavy, options are not
    from lgcnet_tf.runtimes.base import Runtime
    from lgcnet_tf.runtimes.representative import RepresentativeImages


@dataclasses.dataclass(frozen=True, kw_only=True)
class PrecisionOptions(Options):
    """The number format of a network, and how it is brought there."""

    TOPIC = "Runtime and precision"

    precision: str = option(
        "float32", "Number format of the computation, where the runtime has it.",
        PRECISIONS,
    )  # fmt: skip
    calibration_images: str = option(
        "", "Folder of PNG or JPEG files that int8 takes its ranges from; by default "
        "the data set's training split, or random pixels where the command has no "
        "data set, which do for timing alone."
    )  # fmt: skip
    calibration_method: str = option(
        CALIBRATION_METHODS[0], "How int8 takes the range of an activation from its "
        "values; litert has minmax alone.", CALIBRATION_METHODS
    )  # fmt: skip

    def representative_images(
        self, dataset: str = "", data_dir: str = ""
    ) -> "RepresentativeImages":
        """What int8 takes its ranges from; nothing is read yet.

        Args:
            dataset, data_dir: the command's data set, if it has one.

        Raises:
            InputError: options without int8 that do nothing, or no images.
        """
        from lgcnet_tf.runtimes.representative import (
            RepresentativeImages,
            images_of_folder,
            images_of_training_split,
        )

        if self.precision != "int8":
            for name in ("calibration_images", "calibration_method"):
                if getattr(self, name) != getattr(type(self), name):
                    raise InputError(
                        f"--{name} is for --precision=int8. Received: "
                        f"--precision={self.precision}"
                    )
            return RepresentativeImages()
        if self.calibration_images:
            return images_of_folder(self.calibration_images, self.calibration_method)
        if dataset:
            return images_of_training_split(dataset, data_dir, self.calibration_method)
        logging.getLogger("lgcnet_tf").warning(
            "int8 takes its ranges from random pixels: its times hold, its masks do "
            "not; --calibration_images=FOLDER gives it real ones."
        )
        return RepresentativeImages(method=self.calibration_method)


MOST_THREADS = 1024
"""More would only exhaust the system."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class RuntimeOptions(PrecisionOptions):
    """What to run a network on, and how."""

    TOPIC = "Runtime and precision"

    runtime: str = option(
        default_runtime(), "What runs the network.", ALL_RUNTIMES.names
    )
    threads: int = option(
        0,
        "CPU threads; 0 leaves the choice to the runtime.",
        minimum=0,
        maximum=MOST_THREADS,
    )

    def make_runtime(self, dataset: str = "", data_dir: str = "") -> "Runtime":
        """The runtime that the options name.

        Args:
            dataset, data_dir: as for `representative_images`.

        Raises:
            InputError: it cannot run here, or not so; no images.
        """
        from lgcnet_tf.runtimes import get_runtime

        images = self.representative_images(dataset, data_dir)
        return get_runtime(self.runtime, self.threads or None, self.precision, images)

    def calibration_inputs(self) -> Inputs:
        """Fingerprints of the pictures for `int8`."""
        if not self.calibration_images:
            return {}
        from lgcnet_tf.runtimes.representative import files_of_folder

        files = files_of_folder(self.calibration_images)
        return {"--calibration_images": {f.name: fingerprint(f) for f in files}}


@dataclasses.dataclass(frozen=True, kw_only=True)
class BatchOptions(RuntimeOptions):
    """A runtime, and how many images it gets at a time."""

    TOPIC = "Runtime and precision"

    batch_size: int = option(1, "Images of each call.", minimum=1, alias="batch")


def runtime_inputs(runtime: "Runtime") -> Inputs:
    """A runtime and its device, where samples of two of them must not mix."""
    names = ("name", "version", "precision", "threads", "device")
    return {"runtime": {name: str(getattr(runtime, name)) for name in names}}
