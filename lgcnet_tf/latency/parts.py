"""Where the milliseconds of a network go, by a table."""

import numpy as np

from lgcnet_tf.latency.estimate import CostModel
from lgcnet_tf.space.genotype import Genotype
from lgcnet_tf.space.pruning import live_parts


def latency_by_part(costs: CostModel, genotype: Genotype) -> dict[str, float]:
    """The predicted latency of a network, part by part.

    Args:
        costs: of the genotype's search space.
        genotype: the network.

    Returns:
        µs of `stem`, of each cell that is built as `cell 0` and so on (its edges and
        what brings its inputs to its size), of `fusion` where there is a fusion cell
        (its edges and taps), of `head` (a fixed head, classifier, resize and argmax)
        and, where the table is calibrated, of the `call` itself. Their sum is
        `CostModel.predicted_latency`.

    Raises:
        InputError: the genotype belongs to another skeleton.
    """
    total = costs.predicted_latency(genotype)
    choice = genotype.choice
    live = live_parts(costs.skeleton, choice)
    chosen = costs.costs[np.arange(len(choice)), choice] * live.edges
    edges, _ = costs.skeleton.split(chosen)
    time = dict(zip(costs.work.columns, costs.times))
    parts = {"stem": sum(time[work] for work in costs.work.stem)}
    cells = zip(edges, costs.inputs, live.inputs)
    for index, (own, inputs, read) in enumerate(cells):
        if read.any():
            parts[f"cell {index}"] = own.sum() + (inputs * read).sum()
    head = sum(time[work] for work in (*costs.work.head, costs.work.argmax))
    if costs.skeleton.fusion_cell:
        parts["fusion"] = total - sum(parts.values()) - head - costs.constant
    parts["head"] = head
    if costs.constant:
        parts["call"] = costs.constant
    return {name: float(value) for name, value in parts.items()}
