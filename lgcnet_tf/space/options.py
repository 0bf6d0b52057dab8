"""The search space as options of a command."""

import dataclasses

from lgcnet_tf.config import TaskOptions, option
from lgcnet_tf.space.fusion import FUSIONS
from lgcnet_tf.space.skeleton import Skeleton


@dataclasses.dataclass(frozen=True, kw_only=True)
class SpaceOptions(TaskOptions):
    """The frame of the search space; the defaults are the paper's."""

    TOPIC = "Search space"

    initial_channels: int = option(
        Skeleton.initial_channels, "F; a node at stride s has F*s channels."
    )
    num_cells: int = option(Skeleton.num_cells, "K, the number of cells.")
    reduction_cells: tuple[int, ...] = option(
        Skeleton.reduction_cells, "Cells that halve the resolution."
    )
    fusion: str = option(Skeleton.fusion, "Aggregation of features.", FUSIONS)
    fusion_taps: tuple[int, ...] = option(
        Skeleton.fusion_taps, "Cells that dense and cas read, finest first."
    )
    fusion_channels: int = option(
        Skeleton.fusion_channels, "Width to which the taps are reduced, or of the head."
    )

    def skeleton(self, num_classes: int) -> Skeleton:
        """The skeleton of these options."""
        names = {f.name for f in dataclasses.fields(Skeleton)} - {"num_classes"}
        return Skeleton(num_classes, **{name: getattr(self, name) for name in names})
