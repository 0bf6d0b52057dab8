"""What is fixed about a network: stem, cells, widths, taps (III-A, III-B).

And with it the space: the edges, and what can stand on each.
"""

import dataclasses
import functools
from typing import Any

import numpy as np

from lgcnet_tf.errors import InputError
from lgcnet_tf.extensions import hint
from lgcnet_tf.space.cells import CELL_EDGE_NAMES, CELL_EDGES, CellSpec, Edge
from lgcnet_tf.space.fusion import FUSION_CELLS, FUSION_HEADS, fusion_names
from lgcnet_tf.space.fusion_table import FusionHead, FusionTable
from lgcnet_tf.space.operations import (
    CELL_OPERATIONS,
    FUSION_OPERATIONS,
    KINDS,
    OPERATIONS,
    UP_OPERATIONS,
    operation,
)

Size = tuple[int, int]

CANDIDATES = {
    "cell_operations": CELL_OPERATIONS,
    "fusion_operations": FUSION_OPERATIONS,
    "up_operations": UP_OPERATIONS,
}
"""Fields of `Skeleton` that files name only where they are not the paper's."""


@dataclasses.dataclass(frozen=True)
class Skeleton:
    """The fixed frame of the search space; the defaults are the paper's.

    Attributes:
        num_classes: classes of the data set, 19 for Cityscapes.
        initial_channels: F; a node at stride s has F * s channels.
        num_cells: K.
        reduction_cells: indices of the cells that halve the resolution.
        fusion: one of `fusion_names()`.
        fusion_taps: the cells whose outputs enter a searched fusion cell, finest
            first; `cas` takes the last two. The other fusions read the last cell.
        fusion_channels: width to which each tap is reduced, or that of the head.
        cell_operations: candidates of every edge of a cell.
        fusion_operations, up_operations: candidates of the fusion cell's edges, of
            those that keep their map's size and those that double it.
        extensions: the modules that brought what is not the package's own.

    Raises:
        InputError: the parts do not fit together.

    Example:
        >>> import lgcnet_tf as lt
        >>> skeleton = lt.Skeleton(num_classes=19)
        >>> skeleton.num_cells, skeleton.cells[0].stride, skeleton.fusion
        (14, 4, 'dense')
    """

    num_classes: int = 19
    initial_channels: int = 8
    num_cells: int = 14
    reduction_cells: tuple[int, ...] = (1, 8)
    fusion: str = "dense"
    fusion_taps: tuple[int, ...] = (0, 7, 13)
    fusion_channels: int = 48
    cell_operations: tuple[str, ...] = CELL_OPERATIONS
    fusion_operations: tuple[str, ...] = FUSION_OPERATIONS
    up_operations: tuple[str, ...] = UP_OPERATIONS
    extensions: tuple[str, ...] = dataclasses.field(default=(), compare=False)

    def __post_init__(self):
        for name in ("num_classes", "initial_channels", "num_cells", "fusion_channels"):
            value = getattr(self, name)
            if type(value) is not int or value < 1:
                raise InputError(
                    f"skeleton: {name} must be a whole number of at least 1. "
                    f"Received: {value!r}"
                )
        taps = ("fusion_taps",) if self.fusion_cell else ()
        for name in ("reduction_cells", *taps):
            cells = getattr(self, name)
            indices = isinstance(cells, (tuple, list)) and all(
                type(c) is int and 0 <= c < self.num_cells for c in cells
            )
            if not indices or list(cells) != sorted(set(cells)):
                raise InputError(
                    f"skeleton: {name} must be increasing cell indices below "
                    f"num_cells={self.num_cells}. Received: {cells!r}"
                )
        if self.fusion_cell is self.fusion_head is None and self.fusion != "none":
            raise InputError(
                f"skeleton: fusion must be one of {', '.join(fusion_names())}"
                f"{hint(self.extensions)}. Received: {self.fusion!r}"
            )
        if self.fusion_cell:
            self._check_taps(self.fusion_cell)
        for name in CANDIDATES:
            self._check_candidates(name)
        object.__setattr__(self, "extensions", self._origins())

    def _check_taps(self, table: FusionTable):
        strides = [self.cells[tap].stride for tap in self.fusion_taps]
        wanted = len(table.inputs)
        read = strides[-wanted:]
        if not wanted <= len(strides) <= max(3, wanted) or any(
            2 * fine != coarse for fine, coarse in zip(read, read[1:])
        ):
            words = ("no", "one", "two", "three")
            count = words[wanted] if wanted <= 3 else str(wanted)
            last = f", of which it reads the last {count}" if wanted < 3 else ""
            more = {1: " to three", 2: " or three"}.get(wanted, "")
            raise InputError(
                f"skeleton: the {table.title} takes {count}{more} fusion_taps{last}, "
                "each at twice the stride of the one before. "
                f"Received: fusion_taps={self.fusion_taps}, strides={strides}"
            )

    def _check_candidates(self, name: str):
        found = getattr(self, name)
        listed = isinstance(found, (tuple, list)) and all(
            isinstance(each, str) for each in found
        )
        if not listed or not found or len(set(found)) < len(found):
            raise InputError(
                f"skeleton: {name} must be different names of operations. "
                f"Received: {found!r}"
            )
        object.__setattr__(self, name, tuple(found))
        carry = [operation(each).carries for each in found]
        if not any(carry) if name == "cell_operations" else not all(carry):
            raise InputError(
                f"skeleton: {name} must not be `none`"
                f"{' alone' if name == 'cell_operations' else ''}. Received: {found!r}"
            )

    def _origins(self) -> tuple[str, ...]:
        """The modules of what was added, after those that a file names."""
        head = self.fusion_head
        names = [n for field in CANDIDATES for n in getattr(self, field)]
        names += (*head.branches, head.project) if head else ()
        kinds = [operation(name).kind for name in names]
        found = [
            *self.extensions,
            FUSION_CELLS.origin(self.fusion),
            FUSION_HEADS.origin(self.fusion),
            *map(OPERATIONS.origin, names),
            *map(KINDS.origin, kinds),
        ]
        return tuple(dict.fromkeys(name for name in found if name))

    @property
    def fusion_cell(self) -> FusionTable | None:
        """The searched fusion cell, if there is one."""
        return FUSION_CELLS.get(self.fusion)

    @property
    def fusion_head(self) -> FusionHead | None:
        """The fixed head, if there is one."""
        return FUSION_HEADS.get(self.fusion)

    @property
    def taps(self) -> tuple[int, ...]:
        """The cells that the fusion reads, or the classifier; finest first."""
        if self.fusion_cell:
            return tuple(self.fusion_taps[-len(self.fusion_cell.inputs) :])
        return (self.num_cells - 1,)

    @property
    def stem_channels(self) -> tuple[int, int, int]:
        """Channels of the three 3x3 convs of the stem, strides 2, 1, 2."""
        return (2 * self.initial_channels,) * 2 + (4 * self.initial_channels,)

    @property
    def cells(self) -> tuple[CellSpec, ...]:
        """The K cells in order."""
        outputs = [(4, self.stem_channels[-1])] * 2  # (stride, channels)
        specs = []
        for index in range(self.num_cells):
            (older_stride, older), (stride, newer) = outputs[-2:]
            out_stride = stride * (2 if index in self.reduction_cells else 1)
            spec = CellSpec(
                index=index,
                stride=out_stride,
                input_stride=stride,
                source_strides=(older_stride, stride),
                source_channels=(older, newer),
                channels=self.initial_channels * out_stride,
            )
            specs.append(spec)
            outputs.append((spec.stride, spec.output_channels))
        return tuple(specs)

    @property
    def last_cell(self) -> int:
        """The last cell that anything reads: later ones are never built."""
        return self.taps[-1]

    @functools.cached_property
    def edges(self) -> tuple[Edge, ...]:
        """Every searched edge: those of the cells, cell by cell, then the fusion's."""
        cells = [
            Edge(f"cell {c.index} {name}", c.index, i, c.edge_stride(i), self.cell_operations)
            for c in self.cells
            for i, name in enumerate(CELL_EDGE_NAMES)
        ]  # fmt: skip
        fusion = self.fusion_cell.edges if self.fusion_cell else ()
        return (
            *cells,
            *(
                Edge(f"fusion {e.name}", None, i, 1, self.fusion_candidates(e.up))
                for i, e in enumerate(fusion)
            ),
        )

    @functools.cached_property
    def candidate_mask(self) -> np.ndarray:
        """(E, C) bool: whether an edge of `edges` has that many candidates.

        C is the largest number of candidates. All that is of candidates, such as α
        and Z, is an array of this shape.
        """
        counts = np.array([len(edge.candidates) for edge in self.edges])
        return np.arange(counts.max()) < counts[:, None]

    @property
    def cell_edges(self) -> int:
        """How many of `edges` are the cells'; the fusion cell's follow."""
        return self.num_cells * len(CELL_EDGES)

    def of_cells(self, values: np.ndarray) -> np.ndarray:
        """What is of candidates, (..., E, C), for the cells: (..., K, 5, operations)."""
        operations = len(self.cell_operations)
        cells = values[..., : self.cell_edges, :operations]
        shape = (*values.shape[:-2], self.num_cells, len(CELL_EDGES), operations)
        return cells.reshape(shape)

    def split(self, choices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Choices (..., E), by `edges`, as those of the cells and of the fusion cell.

        Returns:
            (..., K, 5) and (..., fusion edges), views of the same memory.
        """
        shape = (*choices.shape[:-1], self.num_cells, len(CELL_EDGES))
        cells, fusion = np.split(choices, [self.cell_edges], axis=-1)
        return cells.reshape(shape), fusion

    def joined(self, cells: np.ndarray, fusion: np.ndarray) -> np.ndarray:
        """`split`'s inverse: (..., E)."""
        flat = np.reshape(cells, (*np.shape(cells)[:-2], -1))
        return np.concatenate([flat, fusion], axis=-1)

    def fusion_candidates(self, up: bool) -> tuple[str, ...]:
        """Candidates of the fusion cell's edges that double, or keep, their map."""
        return self.up_operations if up else self.fusion_operations

    @functools.cached_property
    def cell_carries(self) -> np.ndarray:
        """For each of `cell_operations` whether anything passes, bool."""
        return np.array([operation(name).carries for name in self.cell_operations])

    def to_dict(self) -> dict[str, Any]:
        """JSON form; `from_dict` is its inverse.

        Candidates stand there only where they are not the paper's.
        """
        usual = {**CANDIDATES, "extensions": ()}
        return {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in dataclasses.asdict(self).items()
            if key not in usual or value != usual[key]
        }

    @classmethod
    def from_dict(cls, config: dict[str, Any]) -> "Skeleton":
        """Reads `to_dict`'s form.

        Raises:
            InputError: a field is unknown, missing or of a wrong value.
        """
        optional = {*CANDIDATES, "extensions"}
        fields = {field.name for field in dataclasses.fields(cls)} - optional
        found = set(config) if isinstance(config, dict) else set()
        if found - optional != fields:
            raise InputError(
                f"skeleton: needs exactly the fields {', '.join(sorted(fields))}; "
                f"missing {sorted(fields - found)}, "
                f"unknown {sorted(found - fields - optional)}."
            )
        brought = config.get("extensions", [])
        if not isinstance(brought, list) or not all(
            isinstance(e, str) for e in brought
        ):
            raise InputError(
                f"skeleton: extensions must be names of modules. Received: {brought!r}"
            )
        return cls(
            **{k: tuple(v) if isinstance(v, list) else v for k, v in config.items()}
        )


def size_at(input_size: Size, stride: int) -> Size:
    """Height and width of a map at `stride`: every halving rounds up."""
    height, width = input_size
    return -(-height // stride), -(-width // stride)
