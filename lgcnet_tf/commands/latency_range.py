"""Which latencies the networks of a search space have, and what to turn to move them.

By a table this is exact, up to the table's errors. Without one it is estimated from a
few whole networks, light and heavy ones, at some sizes and widths: the time of a network
is taken to be constant + pixels · (a · F + b · F²), F being `--initial_channels`, for
memory traffic grows with the maps and arithmetic with the square of their width.
"""

import contextlib
import dataclasses
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from lgcnet_tf.config import Size, format_size
from lgcnet_tf.errors import InputError
from lgcnet_tf.latency.table import LatencyTable
from lgcnet_tf.space.cells import CELL_EDGE_NAMES
from lgcnet_tf.space.genotype import Genotype, fusion_candidates, uniform
from lgcnet_tf.space.skeleton import Skeleton

if TYPE_CHECKING:
    from lgcnet_tf.runtimes.base import Runtime

TURN = (
    "Give another target; or measure another space: a smaller --input_size or "
    "--initial_channels has faster networks, a larger one slower ones "
    "(lgcnet-measure-latency --quick --target_latency_ms=... suggests which)."
)
"""What to say of a target that is out of reach."""

STEP = 16
SCALES = (1.0, 0.75, 0.5)
"""Of the input's sides, in the estimate's grid."""
WIDTHS = (2.0, 1.0, 0.5)
"""Of F, likewise."""
MARGIN = 1.25
"""By which a suggested setting's range reaches beyond the target at both ends."""
QUICK_REPEATS, QUICK_WARMUP = 10, 3
_CHEAP = ("bilinear", "global_pool_1x1", "conv_1x1")

Measure = Callable[[Mapping[str, Genotype], Size], Mapping[str, float]]
"""Median time in ms of each network at a size."""


@dataclasses.dataclass(frozen=True)
class Estimate:
    """The range of one setting.

    Attributes:
        input_size: (height, width).
        initial_channels: F.
        fastest_ms, slowest_ms: about what its networks take.
    """

    input_size: Size
    initial_channels: int
    fastest_ms: float
    slowest_ms: float

    def holds(self, target_ms: float) -> bool:
        """Whether the target lies well inside."""
        return self.fastest_ms * MARGIN <= target_ms <= self.slowest_ms / MARGIN

    @property
    def flags(self) -> str:
        return (
            f"--input_size={format_size(self.input_size)} "
            f"--initial_channels={self.initial_channels}"
        )


def range_of_table(table: LatencyTable, communication: str = "none") -> list[float]:
    """The fastest and the slowest network of a table's space, in ms.

    Args:
        communication: of the search; cells that share their operations have less
            choice.
    """
    from lgcnet_tf.architecture_search.latency_target import latency_range
    from lgcnet_tf.guidance.communication import cell_kinds
    from lgcnet_tf.latency.estimate import CostModel

    costs = CostModel(table, table.skeleton, table.input_size)
    reductions = [cell.reduction for cell in table.skeleton.cells]
    kinds = cell_kinds(communication, reductions)
    return [us / 1000.0 for us in latency_range(costs, kinds)]


@contextlib.contextmanager
def saying_what_to_turn() -> Iterator[None]:
    """Adds `TURN` to the block's refusal of a target."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{error} {TURN}") from None


def estimate_ranges(
    skeleton: Skeleton, input_size: Size, measure: Measure
) -> list[Estimate]:
    """Ranges over sizes and widths, by whole networks at three of them.

    Args:
        skeleton, input_size: the setting that is asked for; it is the first.
        measure: times networks.
    """
    width = skeleton.initial_channels
    small = _scaled(input_size, SCALES[-1])
    narrow = dataclasses.replace(skeleton, initial_channels=_narrowed(width))
    times = measure(candidates(skeleton), input_size)
    fastest = min((n for n in times if n.startswith("light")), key=times.__getitem__)
    slowest = max((n for n in times if n.startswith("heavy")), key=times.__getitem__)
    rows = [(input_size, width, times)]
    for frame, size in ((skeleton, small), (narrow, input_size)):
        networks = candidates(frame)
        chosen = {name: networks[name] for name in (fastest, slowest)}
        rows.append((size, frame.initial_channels, measure(chosen, size)))
    settings = [(size, channels) for size, channels, _ in rows]
    laws = [fit_law(settings, [t[name] for *_, t in rows]) for name in (fastest, slowest)]  # fmt: skip
    sizes = dict.fromkeys(_scaled(input_size, scale) for scale in SCALES[1:])
    widths = dict.fromkeys(max(2, round(width * w)) for w in WIDTHS)
    grid = [
        (input_size, width),
        *((s, w) for s, w in itertools.product((input_size, *sizes), widths)),
    ]
    return [
        Estimate(size, channels, *(float(features(size, channels) @ law) for law in laws))
        for size, channels in dict.fromkeys(grid)
    ]  # fmt: skip


def suggestions(
    estimates: Sequence[Estimate], target_ms: float, most: int = 3
) -> list[Estimate]:
    """Settings whose networks reach from well below the target to well above it.

    Large inputs come first: accuracy suffers less from fewer channels than from small
    images.
    """
    fitting = [estimate for estimate in estimates if estimate.holds(target_ms)]
    order = sorted(
        fitting,
        key=lambda e: (-e.input_size[0] * e.input_size[1], -e.initial_channels),
    )
    return order[:most]


def candidates(skeleton: Skeleton) -> dict[str, Genotype]:
    """Networks of which one is nearly the fastest, and one nearly the slowest.

    Light ones have a single way from the stem to one tap, heavy ones a convolution on
    every edge.
    """
    heavy = {f"heavy {op}": uniform(skeleton, op) for op in ("conv_3x3", "sep_conv_3x3")}  # fmt: skip
    fusion = {
        edge: next((op for op in _CHEAP if op in names), names[0])
        for edge, names in fusion_candidates(skeleton).items()
    }
    light = {}
    for tap in skeleton.taps:
        on_the_way = set(range(tap, -1, -2))  # s0 is the output two cells back
        cells = tuple(
            tuple(
                "skip_connect" if index in on_the_way and edge == "s0->n0" else "none"
                for edge in CELL_EDGE_NAMES
            )
            for index in range(skeleton.num_cells)
        )
        light[f"light to {tap}"] = Genotype(skeleton, cells, fusion)
    return light | heavy


def features(size: Size, channels: int) -> np.ndarray:
    """What a network's time is linear in: 1, pixels · F and pixels · F²."""
    pixels = size[0] * size[1] / 1e5
    return np.array([1.0, pixels * channels, pixels * channels**2])


def fit_law(
    settings: Sequence[tuple[Size, int]], times_ms: Sequence[float]
) -> np.ndarray:
    """The coefficients of `features`, none below 0, that miss the times by least.

    The relative errors' squares are added up.

    Returns:
        (3,) ms.
    """
    rows = np.array([features(*setting) for setting in settings])
    rows = rows / np.array(times_ms)[:, None]
    best, least = np.zeros(rows.shape[1]), np.inf
    for count in range(1, rows.shape[1] + 1):
        for columns in itertools.combinations(range(rows.shape[1]), count):
            found = np.zeros(rows.shape[1])
            part = rows[:, columns]
            found[list(columns)] = np.linalg.lstsq(part, np.ones(len(rows)))[0]
            missed = float(((rows @ found - 1.0) ** 2).sum())
            if (found >= 0).all() and missed < least - 1e-12:
                best, least = found, missed
    return best


def measure_on(runtime: "Runtime", batch_size: int, progress) -> Measure:
    """Times networks on a runtime, a few calls each."""
    from lgcnet_tf.latency.measure import measure_networks

    def measure(networks, size):
        times_us = measure_networks(
            networks, size, runtime, QUICK_REPEATS, QUICK_WARMUP, progress=progress,
            batch_size=batch_size,
        )  # fmt: skip
        return {name: float(np.median(t)) / 1000.0 for name, t in times_us.items()}

    return measure


def _scaled(size: Size, scale: float) -> Size:
    height, width = (max(2, round(side * scale / STEP)) * STEP for side in size)
    return height, width


def _narrowed(channels: int) -> int:
    return max(1, channels // 2)
