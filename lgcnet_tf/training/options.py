"""What every training has as options: its steps, its crops and their augmentation."""

import dataclasses
from collections.abc import Iterator

from lgcnet_tf.config import DataOptions, Options, Size, option
from lgcnet_tf.data.class_weights import CLASS_WEIGHTS
from lgcnet_tf.errors import InputError
from lgcnet_tf.run_folder import refuse_finished
from lgcnet_tf.training.settings import TRACKERS


@dataclasses.dataclass(frozen=True, kw_only=True)
class StepOptions(Options):
    """How the steps of any training are computed, and where."""

    TOPIC = "Training"

    seed: int = option(0, "Seed of weights, noise, order and augmentation.", minimum=0)
    devices: tuple[str, ...] = option(
        (), "Devices of this machine, e.g. GPU:0,GPU:1; none for all GPUs."
    )
    clip_norm: float = option(
        0.0, "Largest global norm of the weights' gradients; 0 for any.", minimum=0
    )
    mixed_precision: bool = option(False, "Compute in bfloat16; weights stay float32.")
    remat: bool = option(
        False, "Compute each cell again for the gradients, to save memory."
    )
    deterministic: bool = option(
        False,
        "Same seed, same bits, also after interruptions; slower. Every operation has "
        "a deterministic kernel on CPUs and GPUs.",
    )
    tracker: str = option(
        TRACKERS[0],
        "Where figures and pictures go besides TensorBoard's events: to Weights & "
        "Biases or MLflow, which pip installs by these names and whose own settings "
        "say where that is (WANDB_MODE, MLFLOW_TRACKING_URI).",
        TRACKERS,
        topic="Results",
    )

    @property
    def draws_batches(self) -> bool:
        """Whether the run begins with a picture of augmented training images."""
        return True

    def missing(self) -> Iterator[str]:
        """Also a folder without a finished run, before anything heavy is imported."""
        yield from super().missing()
        try:
            refuse_finished(getattr(self, "output_dir", ""))
        except InputError as error:
            yield str(error)


@dataclasses.dataclass(frozen=True, kw_only=True)
class AverageOptions(Options):
    """The moving average of a network's weights."""

    TOPIC = "Training"

    ema: float = option(
        0.0,
        "Decay a step of the moving average of the weights, which is what is "
        "validated and saved, such as 0.999; 0 for none.",
        minimum=0,
    )

    def problems(self) -> Iterator[str]:
        yield from super().problems()
        if self.ema >= 1.0:
            yield f"--ema must be below 1. Received: {self.ema}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingOptions(StepOptions, DataOptions):
    """Crops and augmentation of a search or a finetuning."""

    TOPIC = "Training"

    crop_size: Size | None = option(
        None,
        "Size of the training crops, HxW; by default --input_size, made smaller to "
        "360x480 pixels.",
    )
    left_out: tuple[str, ...] = option(
        (),
        "Groups of --split (see --group_by) that are not trained on but measured on, "
        "e.g. 0006R0.",
    )
    scale_min: float = option(0.5, "Smallest scale of the random resize.", above=0)
    scale_max: float = option(2.0, "Largest scale of the random resize.", above=0)
    class_weights: str = option(
        CLASS_WEIGHTS[0],
        "Weights of the classes in the loss, counted on the training split: "
        "1/ln(c + share), or median frequency over frequency.",
        CLASS_WEIGHTS,
    )
    class_weights_c: float = option(1.10, "c of --class_weights=enet.", above=1)
    validation_split: str = option(
        "val",
        "Split for the mIoU and pictures of predictions; empty for none. Data without "
        "a split val go without, and so does a run that trains on images of it.",
    )
    pictures_every: int = option(
        1,
        "Epochs from one set of pictures in the events to the next; 0 for none, also "
        "of the training images.",
        minimum=0,
    )

    @property
    def draws_batches(self) -> bool:
        """As above, where pictures are wanted."""
        return self.pictures_every > 0

    @property
    def scale_range(self) -> tuple[float, float]:
        """The limits of the random resize."""
        return self.scale_min, self.scale_max

    def draws_pictures(self, epoch: int) -> bool:
        """Whether pictures are due at the end of `epoch`, from 0: at the last one too.

        For options that have `epochs`.
        """
        done, every = epoch + 1, self.pictures_every
        return every > 0 and (done % every == 0 or done == self.epochs)

    def problems(self) -> Iterator[str]:
        yield from super().problems()
        if self.scale_min > self.scale_max:
            yield f"--scale_min={self.scale_min} is above --scale_max={self.scale_max}."
