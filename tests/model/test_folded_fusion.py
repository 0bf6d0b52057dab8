"""The deployed fusion cell against the trained one and its classifier."""

import numpy as np
import pytest
from keras import ops

from lgcnet_tf.model.deploy import copy_weights, deploy
from lgcnet_tf.model.folded_fusion import LOGITS
from lgcnet_tf.model.network import Network
from lgcnet_tf.model.sizes import at_size
from lgcnet_tf.space import FUSION_CELLS, FUSION_OPERATIONS, UP_OPERATIONS, Genotype

SIZE = (37, 52)  # odd at strides 2, 4 and 8
FULL = ("conv_3x3", "skip_connect", "max_pool_3x3", "sep_conv_3x3", "none")
LIGHT = ("none", "conv_3x3", "none", "none", "skip_connect")
EMPTY = ("none",) * 5


def by_kind(table, keep, up):
    """One operation on every edge of a kind."""
    return {edge.name: up if edge.up else keep for edge in table.edges}


def both(skeleton, fusion, randomise, cells=None):
    """A trained network with random weights, and the deployed one."""
    cells = cells or (FULL,) * skeleton.num_cells
    genotype = Genotype(skeleton, cells, fusion)
    network = randomise(Network(skeleton, SIZE, genotype), 7)
    return network, deploy(network)


def assert_equal(network, deployed, images):
    x = images(*SIZE, batch=2)
    expected = ops.convert_to_numpy(network(x))
    assert expected.std() > 0.05
    np.testing.assert_allclose(deployed(x), expected, atol=1e-4)


@pytest.fixture(scope="module", params=FUSION_CELLS)
def skeleton(request, small_skeleton):
    return small_skeleton(
        num_cells=3,
        reduction_cells=(1, 2),
        fusion_taps=(0, 1, 2),
        fusion=request.param,
        fusion_channels=5,
    )


@pytest.mark.parametrize("keep", FUSION_OPERATIONS)
def test_every_operation(keep, skeleton, randomise, images):
    """Where all edges are alike, all that can be merged is.

    Operations that double a map take turns: each meets every other in some cell.
    """
    turn = FUSION_OPERATIONS.index(keep) + list(FUSION_CELLS).index(skeleton.fusion)
    up = UP_OPERATIONS[turn % len(UP_OPERATIONS)]
    fusion = by_kind(skeleton.fusion_cell, keep, up)
    cells = (LIGHT,) * skeleton.num_cells
    network, deployed = both(skeleton, fusion, randomise, cells)
    assert_equal(network, deployed, images)
    sources = {
        (edge.source, edge.target * ("sep" in keep and not edge.up))
        for edge in skeleton.fusion_cell.edges
        if edge.target in skeleton.fusion_cell.outputs
    }
    assert len(deployed.fusion.parts[LOGITS]) == len(sources)


def test_edges_that_differ_stand_alone(small_skeleton, randomise, images):
    skeleton = small_skeleton()
    fusion = by_kind(skeleton.fusion_cell, "conv_1x1", "deconv_3x3") | {
        "P4->S16": "dil_sep_conv_3x3_d4",
        "P4->R8": "dil_sep_conv_3x3_d4",
        "R16->Q4": "bilinear",
    }
    network, deployed = both(skeleton, fusion, randomise)
    assert_equal(network, deployed, images)
    names = set(deployed.fusion.parts[LOGITS])
    assert names == {
        "edge_P4_S16", "edge_P4_R8", "edge_P4_Q4",
        "edge_R16_S16_R8", "edge_R16_Q4", "edge_Q8_S16_R8_Q4",
    }  # fmt: skip


@pytest.mark.parametrize("empty", range(3))
def test_empty_taps(empty, small_skeleton, randomise, images):
    skeleton = small_skeleton()
    cells = [FULL] * 5
    cells[skeleton.fusion_taps[empty]] = EMPTY
    fusion = by_kind(skeleton.fusion_cell, "conv_3x3", "deconv_3x3")
    network, deployed = both(skeleton, fusion, randomise, tuple(cells))
    assert_equal(network, deployed, images)


def test_more_classes_than_channels(small_skeleton, randomise, images):
    skeleton = small_skeleton(num_classes=7)
    fusion = by_kind(skeleton.fusion_cell, "conv_3x3", "bilinear")
    assert_equal(*both(skeleton, fusion, randomise), images)


def test_at_another_size(small_skeleton, randomise, images):
    fusion = by_kind(small_skeleton().fusion_cell, "global_pool_2x2", "bilinear")
    network, deployed = both(small_skeleton(), fusion, randomise)
    other = at_size(deployed, (64, 48))
    x = images(64, 48)
    np.testing.assert_allclose(other(x), at_size(network, (64, 48))(x), atol=1e-4)


def test_copies_of_a_deployed_cell(small_skeleton, randomise, images):
    fusion = by_kind(small_skeleton().fusion_cell, "conv_1x1", "deconv_3x3")
    _, deployed = both(small_skeleton(), fusion, randomise)
    copy = Network(deployed.skeleton, SIZE, deployed.genotype, "deploy")
    copy_weights(deployed, copy)
    x = images(*SIZE)
    np.testing.assert_array_equal(copy(x), deployed(x))


def test_it_does_less(small_skeleton, randomise):
    """As many channels as classes, before the maps are doubled."""
    fusion = by_kind(small_skeleton().fusion_cell, "conv_3x3", "deconv_3x3")
    network, deployed = both(small_skeleton(), fusion, randomise)
    assert deployed.classifier is None
    for name in deployed.fusion.parts[LOGITS]:
        assert deployed.fusion.edges[name].channels == network.num_classes
    assert deployed.fusion.count_params() < network.fusion.count_params()
