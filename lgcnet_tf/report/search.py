"""What a report says of a search: what it visited, how its choice was made, the cells."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lgcnet_tf.errors import InputError
from lgcnet_tf.latency.estimate import CostModel
from lgcnet_tf.latency.table import LatencyTable
from lgcnet_tf.report.cells import Drawing, draw_cells, draw_fusion, legend_of
from lgcnet_tf.report.charts import Point, curves, front, panels
from lgcnet_tf.report.course import course_of
from lgcnet_tf.report.evaluation import is_number
from lgcnet_tf.report.html import details, figure, section, table
from lgcnet_tf.space.cells import CELL_EDGE_NAMES
from lgcnet_tf.space.choices import changes, margins
from lgcnet_tf.space.genotype import Genotype
from lgcnet_tf.space.skeleton import Skeleton

Epochs = Sequence[Mapping[str, Any]]


def candidates_section(results: Mapping[str, Any]) -> list[str]:
    """How the networks came out that `lgcnet-choose` has trained; else nothing."""
    rows = results.get("candidates")
    if not isinstance(rows, list) or not rows:
        return []
    cells = [
        (
            f"{number}" + (", chosen" if number == results.get("chosen") else ""),
            f"{100 * row['miou']:.1f} %",
            f"{row['predicted_latency_ms']:.4g}",
            f"{row['same_edges']} of {row['edges']}",
        )
        for number, row in enumerate(rows)
    ]
    head = (
        "candidate",
        results.get("measured"),
        "predicted ms",
        "edges of the search's",
    )
    note = "Each was trained alike for a few epochs; 0 is the search's own network."
    return [section("Candidates", table(head, cells), note=note)]


def visited_section(history: Epochs) -> list[str]:
    """The networks that the epochs would have ended with; nothing of a training."""
    drawn = []
    for key, title, factor, higher in (
        ("miou", "mIoU of the search network (%)", 100.0, True),
        ("cross_entropy", "cross-entropy (nats)", 1.0, False),
    ):
        points = [
            Point(
                f"epoch {entry['epoch']}",
                entry["derived_latency_ms"],
                factor * entry[key],
                f"{entry['derived_latency_ms']:.4g} ms, {factor * entry[key]:.4g}"
                f"{' %' if factor > 1 else ' nats'}",
                strength=0.3 + 0.7 * number / len(history),
            )
            for number, entry in enumerate(history, start=1)
            if "epoch" in entry
            and is_number(entry.get("derived_latency_ms"))
            and is_number(entry.get(key))
        ]
        if points:
            drawn.append(front(title, points, "predicted latency (ms)", higher))
    if not drawn:
        return []
    note = (
        "A point for each epoch, the later the stronger: the latency, by the table, of "
        "the network that would have been derived then, against a figure of the search "
        "network that it is a part of, on its training crops."
    )
    return [section("What the search visited", panels(*drawn), note=note)]


def choice_section(shares: np.ndarray | None, skeleton: Skeleton | None) -> list[str]:
    """How sure the choice became and how many edges still changed theirs."""
    if shares is None or skeleton is None:
        return []
    sure, changed = margins(shares, skeleton), changes(shares, skeleton)
    known = np.flatnonzero(~np.isnan(sure).any(1))
    if not known.size:
        return []
    epochs, sure = known + 1, sure[known]
    lines = {
        "median of the edges": (epochs, np.median(sure, 1)),
        "a tenth is below": (epochs, np.quantile(sure, 0.1, axis=1)),
        "least sure": (epochs, sure.min(1)),
    }
    drawn = [curves("Margin of the choice", lines)]
    counted = np.flatnonzero(~np.isnan(changed))
    if counted.size:
        line = {"edges": (counted + 1, changed[counted])}
        drawn.append(curves("Edges that changed their choice", line))
    note = (
        "The margin of an edge is the probability of its likeliest operation less that "
        "of the next."
    )
    return [section("How the choice was made", panels(*drawn), note=note)]


def cells_section(
    genotype: Genotype | None,
    shares: np.ndarray | None,
    latency_table: LatencyTable | None,
    history: Epochs,
) -> list[str]:
    """The cells, epoch by epoch where the probabilities are known."""
    if genotype is None:
        return []
    costs = costs_of(genotype, latency_table)
    note = "The colour of an edge is its operation's family, its width "
    note += (
        "what the operation costs by the latency table."
        if costs is not None
        else "says nothing: no latency table of this network is in the folder."
    )
    drawn = ""
    if shares is not None:
        drawn = course_of(shares, genotype.skeleton, costs, history, genotype)
        note += " The bars below have the shares of each edge's operations."
    if not drawn:
        drawing = Drawing.of(genotype, costs)
        drawn = legend_of(drawing) + draw_cells(drawing) + draw_fusion(drawing)
    note += " Dashed edges carry nothing that is read."
    title = "The cells, epoch by epoch" if shares is not None else "The cells"
    names = details("The operations as a table", _operations(genotype))
    return [section(title, drawn, names, note=note)]


def costs_of(
    genotype: Genotype, latency_table: LatencyTable | None
) -> np.ndarray | None:
    """(E, C) µs of each edge's candidates; None where the table is another space's."""
    if latency_table is None:
        return None
    skeleton = genotype.skeleton
    try:
        return CostModel(latency_table, skeleton, latency_table.input_size).costs
    except InputError:
        return None


def _operations(genotype: Genotype) -> str:
    cells = [
        (spec.index, spec.stride, *cell)
        for spec, cell in zip(genotype.skeleton.cells, genotype.cells)
    ]
    found = table(("cell", "stride", *CELL_EDGE_NAMES), cells)
    if genotype.fusion:
        found += table(("fusion edge", "operation"), genotype.fusion.items())
    if genotype.provenance:
        rows = [(n, _short(value)) for n, value in genotype.provenance.items()]
        found += table(("provenance", "value"), rows)
    return found


def _short(value: Any) -> str:
    """A value in a line: records of thousands of images are not written out."""
    said = figure(value)
    return said if len(said) <= 120 else f"{said[:117]}..."
