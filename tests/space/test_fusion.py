import collections

import pytest

from lgcnet_tf.space import Skeleton
from lgcnet_tf.space.fusion import CAS, DENSE, FUSION_CELLS, FUSION_HEADS, FUSIONS
from lgcnet_tf.space.operations import (
    CELL_OPERATIONS,
    FUSION_OPERATIONS,
    UP_OPERATIONS,
)

CELLS = pytest.mark.parametrize("table", FUSION_CELLS.values(), ids=FUSION_CELLS)


def test_counts_of_the_paper():
    assert len(CELL_OPERATIONS) == len(set(CELL_OPERATIONS)) == 8
    assert len(FUSION_OPERATIONS) == len(set(FUSION_OPERATIONS)) == 10
    assert len(UP_OPERATIONS) == 2
    assert len(DENSE.nodes) == 9
    assert len({edge.name for edge in DENSE.edges}) == 13


def test_every_fusion_is_a_cell_a_head_or_none():
    assert set(FUSIONS) == {*FUSION_CELLS, *FUSION_HEADS, "none"}


@CELLS
def test_up_edges_double_the_resolution_once(table):
    for edge in table.edges:
        assert table.levels[edge.source] - table.levels[edge.target] == edge.up
    assert set(table.keep_edges) | set(table.up_edges) == set(table.edges)


@CELLS
def test_nodes_are_in_an_order_in_which_they_can_be_computed(table):
    position = {node.name: i for i, node in enumerate(table.nodes)}
    assert tuple(position)[: len(table.inputs)] == table.inputs
    assert all(position[e.source] < position[e.target] for e in table.edges)


@CELLS
def test_every_node_is_fed_and_read(table):
    for node in table.nodes:
        assert table.edges_into(node.name) or node.name in table.inputs
        read = any(edge.source == node.name for edge in table.edges)
        assert read or node.name in table.outputs


@CELLS
def test_output_maps_share_size_and_width(table):
    widths = collections.Counter(edge.target for edge in table.edges)
    assert {table.levels[name] for name in table.outputs} == {0}
    assert {widths[name] for name in table.outputs} == {table.output_maps} == {3}
    concatenated = {n.name for n in table.nodes if n.project}
    assert concatenated == {name for name, count in widths.items() if count > 1} - set(
        table.outputs
    )


@CELLS
def test_nothing_follows_the_outputs_but_their_sum(table):
    """What `FusionTable.folded` and `groups` take for granted."""
    for node in table.nodes:
        if node.name in table.outputs:
            assert not node.project and node.name not in table.inputs
            assert not [edge for edge in table.edges if edge.source == node.name]


@CELLS
def test_groups_are_all_edges_once(table):
    edges = [edge for group in table.groups for edge in group]
    assert sorted(edges, key=table.edges.index) == list(table.edges)
    for group in table.groups:
        assert len({(edge.source, edge.candidates) for edge in group}) == 1
        ends = {edge.target in table.outputs for edge in group}
        assert len(group) == 1 or ends == {True}


def test_groups_of_the_papers_cell():
    names = [[e.name for e in group] for group in DENSE.groups if len(group) > 1]
    assert names == [
        ["R16->S16", "R16->R8", "R16->Q4"],
        ["Q8->S16", "Q8->R8", "Q8->Q4"],
        ["P4->S16", "P4->R8", "P4->Q4"],
    ]
    assert DENSE.folded == {"Q8", "S16", "R8", "Q4"}


def test_the_multi_scale_cell_reads_strides_8_and_16_alone():
    skeleton = Skeleton(fusion="cas")
    assert len(CAS.inputs) == 2
    assert [skeleton.cells[tap].stride for tap in skeleton.taps] == [8, 16]


def test_a_branch_has_its_share_of_the_width():
    assert [FUSION_HEADS["ppm"].branch_channels(w) for w in (48, 6)] == [12, 2]
    assert FUSION_HEADS["aspp"].branch_channels(48) == 48
