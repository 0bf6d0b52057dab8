import collections

from lgcnet_tf.space.fusion import (
    FUSION_EDGES,
    FUSION_INPUTS,
    FUSION_NODES,
    FUSION_OUTPUTS,
    edges_into,
)
from lgcnet_tf.space.operations import (
    CELL_OPERATIONS,
    FUSION_OPERATIONS,
    UP_OPERATIONS,
)


def test_the_papers_counts():
    assert len(CELL_OPERATIONS) == len(set(CELL_OPERATIONS)) == 8
    assert len(FUSION_OPERATIONS) == len(set(FUSION_OPERATIONS)) == 10
    assert len(UP_OPERATIONS) == len(set(UP_OPERATIONS)) == 2
    assert len(FUSION_NODES) == 9
    assert len({edge.name for edge in FUSION_EDGES}) == 13


def test_up_edges_double_the_resolution_and_others_keep_it():
    level = {node.name: node.level for node in FUSION_NODES}
    for edge in FUSION_EDGES:
        assert level[edge.source] - level[edge.target] == (1 if edge.up else 0)


def test_nodes_stand_in_an_order_in_which_they_can_be_computed():
    position = {node.name: i for i, node in enumerate(FUSION_NODES)}
    assert tuple(position)[:3] == FUSION_INPUTS
    assert all(position[e.source] < position[e.target] for e in FUSION_EDGES)


def test_every_node_is_fed_and_read():
    for node in FUSION_NODES:
        assert edges_into(node.name) or node.name in FUSION_INPUTS
        read = any(edge.source == node.name for edge in FUSION_EDGES)
        assert read or node.name in FUSION_OUTPUTS


def test_the_outputs_can_be_added():
    level = {node.name: node.level for node in FUSION_NODES}
    widths = collections.Counter(edge.target for edge in FUSION_EDGES)
    assert {level[name] for name in FUSION_OUTPUTS} == {0}
    assert {widths[name] for name in FUSION_OUTPUTS} == {3}
    concatenated = {n.name for n in FUSION_NODES if n.project}
    assert concatenated == {
        name for name, width in widths.items() if width > 1
    } - set(FUSION_OUTPUTS)
