"""The search space as options of a command."""

import dataclasses

from lgcnet_tf.config import TaskOptions, option
from lgcnet_tf.space.fusion import fusion_names
from lgcnet_tf.space.operations import check_known
from lgcnet_tf.space.skeleton import CANDIDATES, Skeleton


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
    fusion: str = option(Skeleton.fusion, "Aggregation of features.", fusion_names)
    fusion_taps: tuple[int, ...] = option(
        Skeleton.fusion_taps, "Cells that a searched fusion cell reads, finest first."
    )
    fusion_channels: int = option(
        Skeleton.fusion_channels, "Width to which the taps are reduced, or of the head."
    )

    cell_operations: tuple[str, ...] = option(
        (),
        "Candidates of a cell's edges; by default the paper's, to which +name adds one.",
    )
    fusion_operations: tuple[str, ...] = option(
        (),
        "Candidates of the fusion cell's edges that keep their map's size; likewise.",
    )
    up_operations: tuple[str, ...] = option(
        (), "Candidates of those that double it; likewise."
    )

    def skeleton(self, num_classes: int) -> Skeleton:
        """The skeleton of these options."""
        others = {"num_classes", "extensions", *CANDIDATES}
        names = {f.name for f in dataclasses.fields(Skeleton)} - others
        values = {name: getattr(self, name) for name in names}
        for name, usual in CANDIDATES.items():
            if chosen := getattr(self, name):
                added = tuple(n.removeprefix("+") for n in chosen if n.startswith("+"))
                own = tuple(n for n in chosen if not n.startswith("+"))
                values[name] = (own or usual) + added
                check_known(f"--{name}", values[name], ())
        return Skeleton(num_classes, **values)
