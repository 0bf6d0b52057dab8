"""Another network from a search that has ended: at another latency, for another device.

A search decides how much each operation is worth on each edge; what an operation costs
stands in a latency table. So one search gives networks for several targets and several
devices, and none has to be searched again.
"""

import dataclasses
from typing import Any

from lgcnet_tf.commands.finish import finish
from lgcnet_tf.commands.latency_range import saying_what_to_turn
from lgcnet_tf.config import RunOptions, option
from lgcnet_tf.run_folder import GENOTYPE, RunFolder, refuse_finished
from lgcnet_tf.space.genotype import operation_counts


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
    from lgcnet_tf.commands.search_folder import read_search
    from lgcnet_tf.model.network import Network

    options.check()
    refuse_finished(options.output_dir)
    search = read_search(options.search_dir, options.latency_table, options.output_dir)
    found, costs = search.genotype, search.cost_model
    target_us = 1000.0 * options.target_latency_ms
    if target_us:
        with saying_what_to_turn():
            check_reachable(target_us, costs, search.kinds)
    derived = derivation.derive(search.alpha, costs, search.kinds, target_us or None)
    genotype = search.named(derived.genotype, options.target_latency_ms)
    predicted_ms = genotype.provenance["predicted_latency_ms"]
    network = Network.derived(genotype, search.input_size)
    folder = RunFolder(options, "derive", inputs=search.inputs)
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
    search.keep(genotype, folder)
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
