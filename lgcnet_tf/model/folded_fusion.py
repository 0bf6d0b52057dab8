"""The searched fusion cell as deployed: with the classifier inside.

After the last ReLU everything is linear: the edges into the output's nodes,
concatenation, sum, classifier. So the classifier becomes part of these edges'
convolutions, which then have as many channels as there are classes, and edges that
do the same to one map become one, with the sum of their kernels. A projection goes
into the edges before it in the same way.

That is less work as long as there are no more classes than the cell has channels.
"""

import functools
import operator
from collections.abc import Iterator, Mapping, Sequence

import keras
import numpy as np
from keras import ops

from lgcnet_tf.model.form import Form
from lgcnet_tf.model.fusion import FusionCell, ReducedTaps
from lgcnet_tf.model.operations import build_operation
from lgcnet_tf.model.units import Unit, UpConvUnit, build_for
from lgcnet_tf.space.fusion_table import FusionEdge, FusionTable
from lgcnet_tf.space.operations import operation
from lgcnet_tf.space.skeleton import Skeleton

LOGITS = "logits"
"""What all edges into the output's nodes are added up to."""


class FoldedFusionCell(ReducedTaps):
    """`FusionCell` and classifier in one.

    Args:
        skeleton: table, taps, width and number of classes.
        operations: for each edge's name the one chosen, alone in a sequence.
        sources: for each tap whether the map is there at all.
        input_size: (height, width) of the image.

    Attributes:
        edges: layers by name; what is the same to one map is one layer.
        parts: for each node that is no tap, and for `LOGITS`, the names of the
            layers that are added up to it, with the edges each of them stands for.

    Call arguments:
        inputs: the taps' maps, finest first, None where absent.
        weights: unused, nothing is searched.

    Returns:
        Logits, (batch, height, width, classes) at the finest tap's size.
    """

    def __init__(self, skeleton: Skeleton, operations, sources, input_size, **kwargs):
        super().__init__(skeleton, sources, input_size, Form("deploy"), **kwargs)
        table = self.table
        # These end in a ReLU: an edge that leaves them needs none.
        positive = {*table.inputs, *(node.name for node in table.nodes if node.project)}
        self.edges: dict[str, keras.layers.Layer] = {}
        self.parts: dict[str, dict[str, tuple[FusionEdge, ...]]] = {}
        for kept, edges in _merged(table, operations):
            source, target = edges[0].source, edges[0].target
            ends = target in table.outputs
            if target in table.folded:
                kept = operation(kept).with_conv or kept
            name = "_".join(["edge", source, *(edge.target for edge in edges)])
            self.edges[name] = layer = build_operation(
                kept,
                skeleton.num_classes if ends else self.width,
                size=self.sizes[target],
                normalization=self.form.normalization,
                name=name,
            )
            if isinstance(layer, Unit) and source in positive:
                layer.pre_relu = False
            self.parts.setdefault(LOGITS if ends else target, {})[name] = edges

    def build(self, input_shape):
        super().build(input_shape)
        for edge in self.edges.values():
            build_for(edge, self.width)

    def call(self, inputs, weights=None, training=None):
        maps = self.reduced(inputs)

        def total(node):
            parts = self.parts[node].items()
            found = (self.edges[name](maps[edges[0].source]) for name, edges in parts)
            return functools.reduce(operator.add, found)

        for node in self.table.nodes[len(self.table.inputs) :]:
            if node.name not in self.table.outputs:
                x = total(node.name)
                maps[node.name] = ops.relu(x) if node.project else x
        return total(LOGITS)

    def fold(self, cell: FusionCell, classifier: keras.layers.Layer) -> None:
        """Takes the weights of a cell's edges and projections, and the classifier's.

        Those of the taps' reductions stay as they are.
        """
        followed = {
            node.name: cell.reduce[node.name].folded_weights()
            for node in self.table.nodes
            if node.project
        }
        followed[LOGITS] = [ops.convert_to_numpy(w) for w in classifier.weights]
        for node, parts in self.parts.items():
            kernel, bias = followed.get(node, (None, 0.0))
            for name, edges in parts.items():
                if not self.edges[name].weights:
                    continue
                found = [_folded_weights(cell, edge, kernel) for edge in edges]
                *rest, kernels, offsets = zip(*found)
                rest = [weights[0] for weights in rest]
                self.edges[name].set_weights([*rest, sum(kernels), sum(offsets) + bias])
                bias = 0.0  # the first has it


def _merged(
    table: FusionTable, operations: Mapping[str, Sequence[str]]
) -> Iterator[tuple[str, tuple[FusionEdge, ...]]]:
    """The operation of each layer, with the edges that it stands for."""
    for group in table.groups:
        alike: dict[object, list[FusionEdge]] = {}
        for edge in group:
            (name,) = operations[edge.name]
            same = name if operation(name).mergeable else edge
            alike.setdefault(same, []).append(edge)
        for edges in alike.values():
            yield operations[edges[0].name][0], tuple(edges)


def _folded_weights(cell: FusionCell, edge: FusionEdge, following: np.ndarray | None):
    """Weights of an edge, folded with the part of what follows that reads its map.

    Args:
        following: (1, 1, maps * width, channels), the kernel that follows the
            concatenation of the target's maps; None if nothing does.
    """
    (layer,) = cell.edges[edge.name].candidates
    if following is None:
        return layer.folded_weights()
    place = cell.table.edges_into(edge.target).index(edge) * cell.width
    matrix = following[0, 0, place : place + cell.width]
    if not isinstance(layer, Unit):  # `bilinear`, which has none
        return [matrix[None, None], np.zeros(matrix.shape[-1], "float32")]
    *rest, kernel, offset = layer.folded_weights()
    if isinstance(layer, UpConvUnit):
        kernel = np.einsum("hwoi,oc->hwci", kernel, matrix)
    else:
        kernel = kernel @ matrix
    return [*rest, kernel, offset @ matrix]
