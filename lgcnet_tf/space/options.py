"""The search space as options of a command."""

import dataclasses

from lgcnet_tf.config import TaskOptions, option
from lgcnet_tf.space.fusion import FUSIONS
from lgcnet_tf.space.skeleton import Skeleton


def _listed(cells):
    return ",".join(map(str, cells))


@dataclasses.dataclass(frozen=True, kw_only=True)
class SpaceOptions(TaskOptions):
    """The frame of the search space.

    What is not given is the latency table's, and without one the paper's.
    """

    TOPIC = "Search space"

    initial_channels: int | None = option(
        None,
        "F; a node at stride s has F*s channels. By default the latency table's, or "
        f"{Skeleton.initial_channels}.",
    )
    num_cells: int | None = option(
        None,
        "K, the number of cells; by default the latency table's, or "
        f"{Skeleton.num_cells}.",
    )
    reduction_cells: tuple[int, ...] | None = option(
        None,
        "Cells that halve the resolution; by default the latency table's, or "
        f"{_listed(Skeleton.reduction_cells)}.",
    )
    fusion: str | None = option(
        None,
        "Aggregation of features; by default the latency table's, or "
        f"{Skeleton.fusion}.",
        FUSIONS,
    )
    fusion_taps: tuple[int, ...] | None = option(
        None,
        "Cells that dense and cas read, finest first; by default the latency table's, "
        f"or {_listed(Skeleton.fusion_taps)}.",
    )
    fusion_channels: int | None = option(
        None,
        "Width to which the taps are reduced, or of the head; by default the latency "
        f"table's, or {Skeleton.fusion_channels}.",
    )

    def skeleton(self, num_classes: int) -> Skeleton:
        """The skeleton of these options."""
        names = {f.name for f in dataclasses.fields(Skeleton)} - {"num_classes"}
        given = {name: getattr(self, name) for name in names}
        given = {name: value for name, value in given.items() if value is not None}
        return Skeleton(num_classes, **given)
