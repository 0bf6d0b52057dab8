"""A genotype: the operation chosen on every edge, with where it came from."""

import collections
import dataclasses
import functools
import hashlib
import json
import os
from typing import Any

import numpy as np

from lgcnet_tf.config import Size
from lgcnet_tf.data.info import DatasetInfo
from lgcnet_tf.data.registry import dataset_info, dataset_names
from lgcnet_tf.errors import InputError
from lgcnet_tf.files import read_json, write_json
from lgcnet_tf.space.cells import CELL_EDGE_NAMES
from lgcnet_tf.space.pruning import live_parts
from lgcnet_tf.space.skeleton import Skeleton
from lgcnet_tf.space.trained_on import TRAINED_ON

FORMAT_VERSION = 2
READ_VERSIONS = (1, 2)  # 1 did not know its classes


@dataclasses.dataclass(frozen=True)
class Genotype:
    """One network of the search space.

    Attributes:
        skeleton: what is fixed.
        cells: for each of the K cells the names of its 5 edges' operations, in
            the order of `CELL_EDGES`.
        fusion: operation of each edge of the fusion cell by the edge's name;
            empty without one.
        provenance: data set, λ or target, table id, seed, predicted latency.
        classes: names and colours of the classes that the network tells apart;
            None where they are not known.

    Raises:
        InputError: an edge is missing or has an operation that is no candidate, or
            there are not as many classes as the skeleton has.

    Example:
        With `net` of `load`:

        >>> import lgcnet_tf as lt
        >>> genotype = net.genotype
        >>> len(genotype.cells), len(genotype.cells[0]), len(genotype.fusion)
        (14, 5, 13)
        >>> genotype.save("genotype.json")
        >>> lt.Genotype.load("genotype.json") == genotype
        True
    """

    skeleton: Skeleton
    cells: tuple[tuple[str, ...], ...]
    fusion: dict[str, str]
    provenance: dict[str, Any] = dataclasses.field(default_factory=dict, compare=False)
    classes: DatasetInfo | None = dataclasses.field(default=None, compare=False)

    def __post_init__(self):
        wanted = self.skeleton.num_classes
        if self.classes is not None and self.classes.num_classes != wanted:
            raise InputError(
                f"genotype: names {self.classes.num_classes} classes; its skeleton has "
                f"{wanted}."
            )
        if len(self.cells) != self.skeleton.num_cells:
            raise InputError(
                f"genotype: needs {self.skeleton.num_cells} cells. "
                f"Received: {len(self.cells)}"
            )
        for index, cell in enumerate(self.cells):
            if len(cell) != len(CELL_EDGE_NAMES):
                raise InputError(
                    f"genotype: cell {index} needs {len(CELL_EDGE_NAMES)} "
                    f"operations. Received: {len(cell)}"
                )
            named = dict(zip(CELL_EDGE_NAMES, cell))
            _check_edges(f"cell {index}", named, cell_candidates(self.skeleton))
        _check_edges("fusion cell", self.fusion, fusion_candidates(self.skeleton))

    def for_size(self, input_size: Size) -> "Genotype":
        """The genotype of a network for images of this size.

        Where it was found for another size, the latency predicted there is left out.

        Args:
            input_size: (height, width).
        """
        searched_at = self.provenance.get("input_size", input_size)
        if tuple(searched_at) == tuple(input_size):
            return self
        provenance = self.provenance | {"input_size": list(input_size)}
        provenance.pop("predicted_latency_ms", None)
        return dataclasses.replace(self, provenance=provenance)

    def to_dict(self) -> dict[str, Any]:
        """JSON form; `from_dict` is its inverse."""
        return {
            "format_version": FORMAT_VERSION,
            "skeleton": self.skeleton.to_dict(),
            "cells": [dict(zip(CELL_EDGE_NAMES, cell)) for cell in self.cells],
            "fusion": dict(self.fusion),
            "provenance": self.provenance,
            "classes": self.classes and self.classes.to_dict(),
        }

    @classmethod
    def from_dict(cls, config: dict[str, Any]) -> "Genotype":
        """Reads `to_dict`'s form.

        Raises:
            InputError: says what is wrong and where.
        """
        if not isinstance(config, dict) or "format_version" not in config:
            raise InputError("genotype: no format_version; not a genotype.")
        version = config["format_version"]
        if version not in READ_VERSIONS:
            raise InputError(
                f"genotype: format version {version!r}; this release reads "
                f"versions {' and '.join(map(str, READ_VERSIONS))}."
            )
        for key, kind in {"skeleton": dict, "cells": list, "fusion": dict}.items():
            if not isinstance(config.get(key), kind):
                raise InputError(f"genotype: {key} is missing or malformed.")
        skeleton = Skeleton.from_dict(config["skeleton"])
        cells = []
        for index, cell in enumerate(config["cells"]):
            _check_edges(f"cell {index}", cell, cell_candidates(skeleton))
            cells.append(tuple(cell[name] for name in CELL_EDGE_NAMES))
        provenance = config.get("provenance", {})
        if not isinstance(provenance, dict):
            raise InputError("genotype: provenance is malformed.")
        size = provenance.get("input_size", [1, 1])
        if not (
            isinstance(size, (list, tuple))
            and len(size) == 2
            and all(type(n) is int and n > 0 for n in size)
        ):
            raise InputError(
                "genotype: provenance: input_size must be [height, width]. "
                f"Received: {size!r}"
            )
        if version == 1:
            classes = _classes_by_provenance(provenance, skeleton.num_classes)
        elif "classes" not in config:
            raise InputError("genotype: classes is missing; null where not known.")
        elif (classes := config["classes"]) is not None:
            try:
                classes = DatasetInfo.from_dict(classes)
            except InputError as error:
                raise InputError(f"genotype: {error}") from None
        return cls(skeleton, tuple(cells), config["fusion"], provenance, classes)

    @classmethod
    def at(cls, skeleton: Skeleton, choice: np.ndarray, **others: Any) -> "Genotype":
        """The genotype of a `choice`.

        Args:
            skeleton: the search space.
            choice: (E,) ints, places among the candidates of `Skeleton.edges`.
            **others: `provenance` and `classes`.
        """
        choice = np.asarray(choice)
        counts = skeleton.candidate_mask.sum(-1)
        if (
            choice.shape != counts.shape
            or choice.dtype.kind not in "iu"
            or ((choice < 0) | (choice >= counts)).any()
        ):
            raise InputError(
                f"genotype: a choice is {len(counts)} whole numbers, each a place among "
                "its edge's candidates, from 0."
            )
        names = [e.candidates[i] for e, i in zip(skeleton.edges, choice)]
        count = len(CELL_EDGE_NAMES)
        cells = [
            tuple(names[first : first + count])
            for first in range(0, skeleton.cell_edges, count)
        ]
        fusion = dict(zip(fusion_candidates(skeleton), names[skeleton.cell_edges :]))
        return cls(skeleton, tuple(cells), fusion, **others)

    @functools.cached_property
    def choice(self) -> np.ndarray:
        """Places of the operations among the candidates of `Skeleton.edges`: (E,) ints."""
        names = [name for cell in self.cells for name in cell]
        names += [self.fusion[edge] for edge in fusion_candidates(self.skeleton)]
        edges = zip(self.skeleton.edges, names, strict=True)
        found = np.array([edge.candidates.index(name) for edge, name in edges])
        found.setflags(write=False)
        return found

    @property
    def id(self) -> str:
        """Of the network, whatever it comes from: equal for equal operations."""
        network = [self.skeleton.to_dict(), self.cells, sorted(self.fusion.items())]
        return hashlib.sha256(json.dumps(network).encode()).hexdigest()[:12]

    @property
    def has_path(self) -> bool:
        """Whether anything leads from the image to what the network's end reads."""
        return bool(live_parts(self.skeleton, self.choice).has_path)

    def save(self, path: str | os.PathLike) -> None:
        """Writes the genotype as JSON."""
        write_json(path, self.to_dict())

    @classmethod
    def load(cls, path: str | os.PathLike) -> "Genotype":
        """Reads a genotype file.

        Raises:
            InputError: names the file and what is wrong in it.
        """
        config = read_json(path)
        try:
            return cls.from_dict(config)
        except InputError as error:
            raise InputError(f"{path}: {error}") from None


def _classes_by_provenance(provenance, num_classes) -> DatasetInfo | None:
    """The classes of the data set that was trained on last, where it is known here."""
    names = [provenance.get("dataset")]
    if isinstance(records := provenance.get(TRAINED_ON), list):
        names = [r.get("dataset") for r in records if isinstance(r, dict)] or names
    if names[-1] not in dataset_names():
        return None
    try:
        found = dataset_info(names[-1])
    except InputError:  # its classes stand in a folder
        return None
    return found if found.num_classes == num_classes else None


def cell_candidates(skeleton: Skeleton) -> dict[str, tuple[str, ...]]:
    """Candidates of each edge of a cell."""
    return dict.fromkeys(CELL_EDGE_NAMES, skeleton.cell_operations)


def fusion_candidates(skeleton: Skeleton) -> dict[str, tuple[str, ...]]:
    """Candidates of each edge of the fusion cell; empty without one."""
    edges = skeleton.fusion_cell.edges if skeleton.fusion_cell else ()
    return {edge.name: skeleton.fusion_candidates(edge.up) for edge in edges}


def uniform(skeleton: Skeleton, operation: str) -> Genotype:
    """`operation` on every cell edge; in the fusion cell 3x3 conv and deconv.

    Where these are no candidates there, it has the first one.
    """
    usual = ("conv_3x3", "deconv_3x3")
    fusion = {
        edge: next((n for n in usual if n in candidates), candidates[0])
        for edge, candidates in fusion_candidates(skeleton).items()
    }
    cell = (operation,) * len(CELL_EDGE_NAMES)
    return Genotype(skeleton, (cell,) * skeleton.num_cells, fusion)


def random_genotype(skeleton: Skeleton, generator: np.random.Generator) -> Genotype:
    """Draws every edge's operation uniformly (Table VII, setting a)."""
    cells = tuple(
        tuple(
            str(name)
            for name in generator.choice(skeleton.cell_operations, len(CELL_EDGE_NAMES))
        )
        for _ in range(skeleton.num_cells)
    )
    fusion = {
        edge: str(generator.choice(candidates))
        for edge, candidates in fusion_candidates(skeleton).items()
    }
    return Genotype(skeleton, cells, fusion)


def _check_edges(where: str, chosen: Any, candidates: dict[str, tuple[str, ...]]):
    if not isinstance(chosen, dict):
        raise InputError(f"genotype: {where} must map edges to operations.")
    for edge in candidates:
        if edge not in chosen:
            raise InputError(f"genotype: {where} lacks the edge {edge!r}.")
    for edge, operation in chosen.items():
        if edge not in candidates:
            raise InputError(
                f"genotype: {where} has an unknown edge {edge!r}; its edges are "
                f"{', '.join(candidates) or 'none'}."
            )
        if operation not in candidates[edge]:
            raise InputError(
                f"genotype: {where}, edge {edge!r}: unknown operation "
                f"{operation!r}; it takes one of {', '.join(candidates[edge])}."
            )


def operation_counts(genotype: Genotype) -> dict[str, int]:
    """How often each operation stands on an edge of a cell."""
    return dict(collections.Counter(op for cell in genotype.cells for op in cell))
