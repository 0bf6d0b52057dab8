"""The search space as options of a command."""

import dataclasses

from lgcnet_tf.config import DataOptions, option
from lgcnet_tf.space.skeleton import FUSIONS, Skeleton


@dataclasses.dataclass(frozen=True, kw_only=True)
class SpaceOptions(DataOptions):
    """The frame of the search space; the defaults are the paper's."""

    initial_channels: int = option(8, "F; a node at stride s has F*s channels.")
    num_cells: int = option(14, "K, the number of cells.")
    reduction_cells: tuple[int, ...] = option((1, 8), "Cells that halve the resolution.")
    fusion: str = option("dense", "Aggregation of features.", FUSIONS)
    fusion_taps: tuple[int, ...] = option((0, 7, 13), "Cells the fusion cell reads.")
    fusion_channels: int = option(48, "Width to which the taps are reduced.")

    def skeleton(self, num_classes: int) -> Skeleton:
        """The skeleton of these options."""
        names = {f.name for f in dataclasses.fields(Skeleton)} - {"num_classes"}
        return Skeleton(num_classes, **{name: getattr(self, name) for name in names})
