"""A network as nodes with inputs, for programs that draw graphs."""

import dataclasses
from collections.abc import Iterator

from lgcnet_tf.model.cell import Cell, MixedOp
from lgcnet_tf.model.classifier import ImageClassifier
from lgcnet_tf.model.fusion import FusionCell
from lgcnet_tf.model.heads import FusionHead
from lgcnet_tf.model.network import CLASSIFIER, Network
from lgcnet_tf.space.cells import CELL_EDGES


@dataclasses.dataclass(frozen=True)
class Node:
    """A part of a network.

    Attributes:
        name: where it stands, `cell_3/edge_s0_n1/sep_conv_3x3`; parts of one cell or
            edge begin alike.
        operation: what it does: the operation's name, `add`, `concatenate`.
        inputs: names of the nodes that it reads.
    """

    name: str
    operation: str
    inputs: tuple[str, ...] = ()


def diagram(network: Network) -> list[Node]:
    """The nodes of a network, each after those that it reads.

    Args:
        network: a supernet, a derived one, or a backbone that classifies.
    """
    return [*_nodes(network)]


def _nodes(network) -> Iterator[Node]:
    yield Node("images", "images")
    last = "images"
    for layer in network.stem:
        yield Node(layer.name, "stem_conv_3x3", (last,))
        last = layer.name
    outputs: dict[int, str | None] = {-2: last, -1: last}
    for index in range(network.skeleton.last_cell + 1):
        outputs[index] = None
        if cell := network.cells.get(str(index)):
            yield from _cell(cell, outputs[index - 2], outputs[index - 1])
            outputs[index] = f"{cell.name}/output" if cell.nodes else None
    last = outputs[network.skeleton.last_cell]
    if isinstance(network.fusion, FusionCell):
        yield from _fusion(network.fusion, [outputs[t] for t in network.skeleton.taps])
        last = f"{network.fusion.name}/output"
    elif isinstance(network.fusion, FusionHead):
        yield from _head(network.fusion, last)
        last = f"{network.fusion.name}/project"
    if isinstance(network, ImageClassifier):
        yield Node("mean", "global average pool", (last,))
        yield Node(CLASSIFIER, CLASSIFIER, ("mean",))
        return
    yield Node(CLASSIFIER, CLASSIFIER, (last,))
    yield Node("resize", "resize", (CLASSIFIER,))


def _cell(cell: Cell, older, newer) -> Iterator[Node]:
    maps, parts = {}, {node: [] for node in cell.nodes}
    for source, read in (("s0", older), ("s1", newer)):
        if source in cell.pools:
            yield Node(f"{cell.name}/pool_{source}", "avg_pool_2x2", (read,))
            read = f"{cell.name}/pool_{source}"
        if source in cell.preprocess:
            maps[source] = f"{cell.name}/preprocess_{source}"
            yield Node(maps[source], "preprocess_1x1", (read,))
    edges = {edge.name: edge for edge in cell.edges.values()}
    for node in cell.nodes:
        for source, target in CELL_EDGES:
            edge = edges.get(f"edge_{source}_{target}")
            if edge is not None and target == node:
                yield from _edge(edge, f"{cell.name}/{edge.name}", maps[source])
                parts[node].append(_end(edge, f"{cell.name}/{edge.name}"))
        maps[node] = f"{cell.name}/{node}"
        yield Node(maps[node], "add", tuple(parts[node]))
    if cell.nodes:
        inputs = tuple(maps[node] for node in cell.nodes)
        yield Node(f"{cell.name}/output", "concatenate", inputs)


def _edge(edge: MixedOp, path: str, read: str) -> Iterator[Node]:
    for name in edge.operations:
        yield Node(f"{path}/{name}", name, (read,))
    if len(edge.operations) > 1:
        inputs = tuple(f"{path}/{name}" for name in edge.operations)
        yield Node(f"{path}/mixed", "sum weighted by Z", inputs)


def _end(edge: MixedOp, path: str) -> str:
    return f"{path}/{'mixed' if len(edge.operations) > 1 else edge.operations[0]}"


def _fusion(fusion: FusionCell, taps) -> Iterator[Node]:
    table, maps = fusion.table, {}
    for name, tap in zip(table.inputs, taps):
        maps[name] = f"{fusion.name}/reduce_{name}"
        if tap is None:
            yield Node(maps[name], "zeros")
        else:
            yield Node(maps[name], "fusion_reduce_1x1", (tap,))
    for node in table.nodes[len(table.inputs) :]:
        parts = []
        for each in table.edges_into(node.name):
            edge = fusion.edges[each.name]
            path = f"{fusion.name}/{edge.name}"
            yield from _edge(edge, path, maps[each.source])
            parts.append(_end(edge, path))
        maps[node.name] = f"{fusion.name}/{node.name}"
        yield Node(maps[node.name], "concatenate", tuple(parts))
        if node.project:
            reduced = f"{fusion.name}/reduce_{node.name}"
            yield Node(reduced, "fusion_reduce_1x1", (maps[node.name],))
            maps[node.name] = reduced
    yield Node(f"{fusion.name}/output", "add", tuple(maps[n] for n in table.outputs))


def _head(head: FusionHead, last) -> Iterator[Node]:
    inputs = [last] if head.keeps_input else []
    for branch in head.branches:
        yield Node(f"{head.name}/{branch.name}", branch.name, (last,))
        inputs.append(f"{head.name}/{branch.name}")
    yield Node(f"{head.name}/project", "concatenate, convolution", tuple(inputs))
