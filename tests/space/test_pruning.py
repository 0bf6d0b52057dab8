import numpy as np
import pytest

from lgcnet_tf.space.operations import CELL_OPERATIONS
from lgcnet_tf.space.pruning import fusion_liveness, liveness
from lgcnet_tf.space.skeleton import Skeleton

CONV, NONE = "conv_3x3", "none"


@pytest.fixture
def find(small_skeleton):
    """Liveness of 5 cells, all 3x3 convs but for the given ones."""

    def apply(cells, **changes):
        chosen = [cells.get(k, (CONV,) * 5) for k in range(5)]
        single = [[(op,) for op in cell] for cell in chosen]
        return liveness(small_skeleton(**changes), single)

    return apply


def test_a_supernet_is_all_alive():
    skeleton = Skeleton()
    cells = ((CELL_OPERATIONS,) * 5,) * 14
    for cell in liveness(skeleton, cells):
        assert cell.edges == (True,) * 5
        assert cell.nodes == ("n0", "n1")
        assert cell.needed


def test_none_edges_are_dead_and_nodes_live_by_one_edge(find):
    cell = find({1: (NONE, CONV, NONE, NONE, CONV)})[1]
    assert cell.edges == (False, True, False, False, True)
    assert cell.nodes == ("n0", "n1")
    assert cell.reads("s1") and not cell.reads("s0") and cell.reads("n0")


def test_an_edge_from_an_empty_node_carries_nothing(find):
    cell = find({1: (NONE, NONE, CONV, CONV, CONV)})[1]
    assert cell.edges == (False, False, True, True, False)
    assert cell.nodes == ("n1",)


def test_a_node_fed_by_an_empty_node_alone_is_empty(find):
    cell = find({1: (NONE, NONE, NONE, NONE, CONV)})[1]
    assert cell.edges == (False,) * 5
    assert cell.nodes == ()


def test_an_empty_cell_kills_the_edges_that_read_it(find):
    cells = find({1: (NONE,) * 5})
    assert cells[1].nodes == ()
    assert cells[2].edges == (True, False, True, False, True)  # s1 is cell 1
    assert cells[3].edges == (False, True, False, True, True)  # s0 is cell 1
    assert cells[4].edges == (True,) * 5
    assert not cells[1].needed


def test_emptiness_travels_down(find):
    cells = find({1: (NONE,) * 5, 2: (NONE, CONV, NONE, CONV, NONE)})
    assert cells[2].nodes == ()
    assert cells[3].nodes == ()
    assert cells[4].nodes == ()


def test_a_cell_that_nobody_reads_is_not_needed(find):
    skips_one = (CONV, NONE, CONV, NONE, CONV)  # reads the older input only
    cells = find({2: skips_one, 3: (NONE, CONV, NONE, CONV, CONV)})
    assert [cell.needed for cell in cells] == [True, False, True, True, True]


def test_being_read_travels_up(find):
    late = (CONV, NONE, CONV, NONE, CONV)
    cells = find({4: late}, fusion="none")
    assert [cell.needed for cell in cells] == [True, True, True, False, True]


def test_cells_after_the_last_tap_are_not_needed():
    skeleton = Skeleton(fusion_taps=(0, 7, 12))
    cells = liveness(skeleton, ((CELL_OPERATIONS,) * 5,) * 14)
    assert not cells[13].needed and cells[12].needed


@pytest.mark.parametrize(
    "filled, expected",
    [
        ((True, False, False), {"P4->S16", "P4->R8", "P4->Q4"}),
        ((False, True, False), {"P8->Q8", "Q8->S16", "Q8->R8", "Q8->Q4"}),
        ((False, False, False), set()),
    ],
)
def test_what_stems_from_empty_taps_alone_is_constant(filled, expected):
    skeleton = Skeleton()
    edges = fusion_liveness(skeleton, np.array(filled))
    names = [edge.name for edge in skeleton.fusion_cell.edges]
    assert {name for name, live in zip(names, edges) if live} == expected


def test_fusion_liveness_of_many_networks_at_once():
    filled = np.array([[True, True, True], [False, False, True], [False, True, False]])
    edges = fusion_liveness(Skeleton(), filled)
    assert edges.shape == (3, 13)
    assert edges[0].all()
    for row, live in zip(filled, edges):
        np.testing.assert_array_equal(live, fusion_liveness(Skeleton(), row))


def test_fusion_liveness_of_two_taps():
    skeleton = Skeleton(fusion="cas")
    edges = fusion_liveness(skeleton, np.array([False, True]))
    assert edges.any() and not edges.all()
