"""The folder that a search leaves, as what derives other networks of it reads it."""

import dataclasses
import os
import pathlib

import numpy as np

from lgcnet_tf.commands.keep_table import keep_table
from lgcnet_tf.config import Size
from lgcnet_tf.errors import InputError
from lgcnet_tf.files import atomic_write
from lgcnet_tf.guidance.communication import cell_kinds
from lgcnet_tf.latency.estimate import CostModel, prediction
from lgcnet_tf.latency.table import LatencyTable
from lgcnet_tf.run_folder import (
    ALPHAS,
    GENOTYPE,
    LATENCY_TABLE,
    Inputs,
    RunFolder,
    input_file,
)
from lgcnet_tf.space.choices import PROBABILITIES, read_probabilities
from lgcnet_tf.space.genotype import Genotype
from lgcnet_tf.space.skeleton import Skeleton

OF_THE_TARGET = ("target_latency_ms", "latency_batch_size")
"""What the provenance of a search says that another target or table need not have."""


@dataclasses.dataclass(frozen=True)
class FoundSearch:
    """A search that has ended, with a latency table of its space.

    Attributes:
        genotype: that it derived.
        probabilities: softmax(α'), (E, C).
        alpha: α' up to a constant of each edge, (E, C); -inf past an edge's candidates.
        kinds: for each of the K cells which cells share its operations.
        input_size: of its networks.
        table, table_path: of the space.
        cost_model: predicts by the table.
        inputs: the files read, for a run's folder.
    """

    genotype: Genotype
    probabilities: np.ndarray
    alpha: np.ndarray
    kinds: tuple[int, ...]
    input_size: Size
    table: LatencyTable
    table_path: str
    cost_model: CostModel
    inputs: Inputs

    def named(self, derived: Genotype, target_ms: float) -> Genotype:
        """A genotype derived of the search, with where it is from and what it takes."""
        own = self.genotype.provenance
        before = {k: v for k, v in own.items() if k not in OF_THE_TARGET}
        latency = prediction(derived, self.cost_model, self.table, target_ms)
        provenance = {**before, "derived_from": self.genotype.id, **latency}
        return dataclasses.replace(
            derived, provenance=provenance, classes=self.genotype.classes
        )

    def keep(self, genotype: Genotype, folder: RunFolder) -> None:
        """Writes a genotype, the search's probabilities and a copy of the table."""
        genotype.save(folder / GENOTYPE)
        with atomic_write(folder / ALPHAS) as temporary:
            np.savez(temporary, **{PROBABILITIES: self.probabilities})
        keep_table(self.table_path, folder)


def read_search(search_dir: str, latency_table: str, output_dir: str) -> FoundSearch:
    """Reads what a search by gradients has left.

    Args:
        search_dir: its folder.
        latency_table: of the same space; by default the search's own.
        output_dir: of the command, which must be another one.

    Raises:
        InputError: no such search or table, a table of another space, or
            probabilities that are none.
    """
    if not search_dir:
        raise InputError("--search_dir is missing: name the folder of a search.")
    search = pathlib.Path(search_dir)
    paths = [search / GENOTYPE, search / ALPHAS]
    if missing := [path.name for path in paths if not path.is_file()]:
        raise InputError(
            f"--search_dir={search}: no {' and no '.join(missing)} there; name the folder "
            "of a search by gradients that has ended."
        )
    found = Genotype.load(search / GENOTYPE)
    if output_dir and search.resolve() == pathlib.Path(output_dir).resolve():
        raise InputError(
            f"--output_dir={output_dir} is the search's folder; name another one."
        )
    probabilities = read_probabilities(search / ALPHAS, found.skeleton)
    alpha = _logarithm(probabilities, found.skeleton, search / ALPHAS)
    table_path = latency_table or os.fspath(search / LATENCY_TABLE)
    if not latency_table and not pathlib.Path(table_path).is_file():
        raise InputError(
            f"--search_dir={search}: no {LATENCY_TABLE} there; name the table of the "
            "search with --latency_table."
        )
    table = LatencyTable.load(table_path)
    size = tuple(found.provenance.get("input_size") or table.input_size)
    kinds = cell_kinds(
        found.provenance.get("communication", "none"),
        [spec.reduction for spec in found.skeleton.cells],
    )
    inputs = input_file("--latency_table", table_path)
    for path in paths:
        inputs |= input_file(f"--search_dir {path.name}", path)
    return FoundSearch(
        found,
        probabilities,
        alpha,
        tuple(kinds),
        size,
        table,
        table_path,
        CostModel(table, found.skeleton, size),
        inputs,
    )


def _logarithm(
    probabilities: np.ndarray, skeleton: Skeleton, path: pathlib.Path
) -> np.ndarray:
    """α' up to a constant of each edge, (E, C); -inf past an edge's candidates."""
    mask = skeleton.candidate_mask
    total = np.where(mask, probabilities, 0.0).sum(-1)
    if not np.isfinite(probabilities).all() or (abs(total - 1.0) > 0.01).any():
        raise InputError(
            f"{path}: an edge's probabilities do not add up to 1; give the folder of a "
            "search as it was left."
        )
    with np.errstate(divide="ignore"):
        return np.log(np.where(mask, probabilities, 0.0))
