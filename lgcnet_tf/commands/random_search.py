"""The search that only draws: a random network of a band of latencies (Table VII)."""

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from lgcnet_tf.commands.finish import finish
from lgcnet_tf.commands.keep_table import keep_table
from lgcnet_tf.data import dataset_info
from lgcnet_tf.latency.table import LatencyTable
from lgcnet_tf.run_folder import GENOTYPE, RunFolder, input_file
from lgcnet_tf.space.genotype import operation_counts

if TYPE_CHECKING:
    from lgcnet_tf.commands.search import SearchOptions


def random_search(options: "SearchOptions") -> dict[str, Any]:
    """Draws a network; writes its genotype and results, as a search does.

    Nothing is trained and no image is read.

    Returns:
        What `results.json` holds.

    Raises:
        InputError: bad options or table, or no network in the band.
    """
    from lgcnet_tf.architecture_search.random_search import draw_genotype
    from lgcnet_tf.latency.estimate import CostModel, prediction
    from lgcnet_tf.model.network import Network

    classes = dataset_info(options.dataset, options.data_dir or None)
    skeleton = options.skeleton(classes.num_classes)
    table = LatencyTable.load(options.latency_table)
    cost_model = CostModel(table, skeleton, options.input_size)
    low, high = options.min_latency_ms, options.max_latency_ms
    genotype, draws = draw_genotype(
        cost_model,
        np.random.default_rng(options.seed),
        low * 1000.0,
        high * 1000.0 if high else np.inf,
    )
    provenance = {
        "dataset": classes.name,
        "input_size": list(options.input_size),
        "search_strategy": options.search_strategy,
        "min_latency_ms": low,
        "max_latency_ms": high,
        "seed": options.seed,
        **prediction(genotype, cost_model, table),
    }
    genotype = dataclasses.replace(genotype, provenance=provenance, classes=classes)
    inputs = input_file("--latency_table", options.latency_table)
    folder = RunFolder(options, "search", inputs=inputs)
    keep_table(options.latency_table, folder)
    network = Network.derived(genotype, options.crop_size)
    genotype.save(folder / GENOTYPE)
    return finish(
        folder,
        {
            "predicted_latency_ms": provenance["predicted_latency_ms"],
            "operations": operation_counts(genotype),
            "params": network.count_params(),
            "draws": draws,
        },
        folder / GENOTYPE,
    )
