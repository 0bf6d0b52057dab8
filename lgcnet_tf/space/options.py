"""The search space as options of a command."""

import dataclasses

from lgcnet_tf.config import TaskOptions, option
from lgcnet_tf.space.fusion import fusion_names
from lgcnet_tf.space.operations import check_known
from lgcnet_tf.space.skeleton import CANDIDATES, Skeleton


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
        fusion_names,
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
        values = {name: value for name, value in values.items() if value is not None}
        for name, usual in CANDIDATES.items():
            if chosen := getattr(self, name):
                added = tuple(n.removeprefix("+") for n in chosen if n.startswith("+"))
                own = tuple(n for n in chosen if not n.startswith("+"))
                values[name] = (own or usual) + added
                check_known(f"--{name}", values[name], ())
        return Skeleton(num_classes, **values)
