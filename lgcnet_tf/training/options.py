"""What every training has as options: crops and augmentation."""

import dataclasses

from lgcnet_tf.config import DataOptions, Size, option
from lgcnet_tf.errors import InputError


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingOptions(DataOptions):
    """Seed, crops and augmentation of a search or a finetuning."""

    seed: int = option(0, "Seed of weights, noise, order and augmentation.", minimum=0)
    crop_size: Size = option((96, 160), "Size of the training crops, HxW.")
    scale_min: float = option(0.5, "Smallest scale of the random resize.", above=0)
    scale_max: float = option(2.0, "Largest scale of the random resize.", above=0)

    @property
    def scale_range(self) -> tuple[float, float]:
        """The limits of the random resize."""
        return self.scale_min, self.scale_max

    def check(self) -> None:
        super().check()
        if self.scale_min > self.scale_max:
            raise InputError(
                f"--scale_min={self.scale_min} is above --scale_max={self.scale_max}."
            )
