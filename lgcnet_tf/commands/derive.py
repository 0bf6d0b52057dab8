"""Another network from a search that has ended: at another latency, for another device.

A search decides how much each operation is worth on each edge; what an operation costs
stands in a latency table. So one search gives networks for several targets and several
devices, and none has to be searched again.
"""

import dataclasses
import pathlib
from typing import Any

import numpy as np

from lgcnet_tf.commands.finish import finish
from lgcnet_tf.commands.keep_table import keep_table
from lgcnet_tf.commands.latency_range import saying_what_to_turn
from lgcnet_tf.config import RunOptions, option
from lgcnet_tf.errors import InputError
from lgcnet_tf.files import atomic_write
from lgcnet_tf.latency.table import LatencyTable
from lgcnet_tf.run_folder import (
    ALPHAS,
    GENOTYPE,
    LATENCY_TABLE,
    RunFolder,
    input_file,
    refuse_finished,
)
from lgcnet_tf.space.choices import PROBABILITIES, read_probabilities
from lgcnet_tf.space.genotype import Genotype, operation_counts

OF_THE_TARGET = ("target_latency_ms", "latency_batch_size")
"""What the provenance of a search says that another target or table need not have."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class DeriveOptions(RunOptions):
    """Options of deriving."""

    TOPIC = "Network"

    search_dir: str = option(
        "", "Folder of a search that has ended.", needed="name the folder of a search."
    )
    target_latency_ms: float = option(
        0.0,
        "Predicted latency of the network, met within 5 % with as little loss of "
        "probability as is found; 0 for the most probable operation on every edge.",
        minimum=0,
    )
    latency_table: str = option(
        "", "Latency table of the same space; by default the search's own."
    )


def derive(options: DeriveOptions) -> dict[str, Any]:
    """Derives; writes genotype, probabilities, a copy of the table and results.

    Returns:
        What `results.json` holds.

    Raises:
        InputError: bad options, no such search, a table of another space, or a target
            out of its reach.
    """
    from lgcnet_tf.architecture_search import derive as derivation
    from lgcnet_tf.architecture_search.latency_target import TOLERANCE, check_reachable
    from lgcnet_tf.guidance.communication import cell_kinds
    from lgcnet_tf.latency.estimate import CostModel, prediction
    from lgcnet_tf.model.network import Network

    options.check()
    refuse_finished(options.output_dir)
    if not options.search_dir:
        raise InputError("--search_dir is missing: name the folder of a search.")
    search = pathlib.Path(options.search_dir)
    paths = [search / GENOTYPE, search / ALPHAS]
    if missing := [path.name for path in paths if not path.is_file()]:
        raise InputError(
            f"--search_dir={search}: no {' and no '.join(missing)} there; name the folder "
            "of a search by gradients that has ended."
        )
    found = Genotype.load(search / GENOTYPE)
    if (
        options.output_dir
        and search.resolve() == pathlib.Path(options.output_dir).resolve()
    ):
        raise InputError(
            f"--output_dir={options.output_dir} is the search's folder; name another one."
        )
    probabilities = read_probabilities(search / ALPHAS, found.skeleton)
    alpha = _logarithm(probabilities, found.skeleton, search / ALPHAS)
    table_path = options.latency_table or str(search / LATENCY_TABLE)
    if not options.latency_table and not pathlib.Path(table_path).is_file():
        raise InputError(
            f"--search_dir={search}: no {LATENCY_TABLE} there; name the table of the "
            "search with --latency_table."
        )
    table = LatencyTable.load(table_path)
    size = tuple(found.provenance.get("input_size") or table.input_size)
    cost_model = CostModel(table, found.skeleton, size)
    kinds = cell_kinds(
        found.provenance.get("communication", "none"),
        [spec.reduction for spec in found.skeleton.cells],
    )
    target_us = 1000.0 * options.target_latency_ms
    if target_us:
        with saying_what_to_turn():
            check_reachable(target_us, cost_model, kinds)
    inputs = input_file("--latency_table", table_path)
    for path in paths:
        inputs |= input_file(f"--search_dir {path.name}", path)
    derived = derivation.derive(alpha, cost_model, kinds, target_us or None)
    before = {k: v for k, v in found.provenance.items() if k not in OF_THE_TARGET}
    latency = prediction(derived.genotype, cost_model, table, options.target_latency_ms)
    provenance = {**before, "derived_from": found.id, **latency}
    predicted_ms = latency["predicted_latency_ms"]
    genotype = dataclasses.replace(
        derived.genotype, provenance=provenance, classes=found.classes
    )
    network = Network.derived(genotype, size)
    folder = RunFolder(options, "derive", inputs=inputs)
    folder.log.info(
        "%spredicted %.4g ms, edges that are not the most probable: %d",
        f"target {options.target_latency_ms:.4g} ms: " if target_us else "",
        predicted_ms,
        derived.edges_changed,
    )
    if target_us and abs(1000.0 * predicted_ms / target_us - 1.0) > TOLERANCE:
        folder.log.warning(
            "the target is missed by more than %.0f %%: no change of one or two edges "
            "comes nearer; give another target",
            100 * TOLERANCE,
        )
    genotype.save(folder / GENOTYPE)
    with atomic_write(folder / ALPHAS) as temporary:
        np.savez(temporary, **{PROBABILITIES: probabilities})
    keep_table(table_path, folder)
    return finish(
        folder,
        {
            "predicted_latency_ms": predicted_ms,
            "edges_changed": derived.edges_changed,
            "edges_of_the_search_changed": int((genotype.choice != found.choice).sum()),
            "operations": operation_counts(genotype),
            "params": network.count_params(),
        },
        folder / GENOTYPE,
    )


def _logarithm(probabilities, skeleton, path):
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
