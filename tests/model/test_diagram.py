"""A network as a graph of nodes: complete, and connected as it computes."""

import numpy as np
import pytest

from lgcnet_tf.model.classifier import build_classifier
from lgcnet_tf.model.diagram import diagram
from lgcnet_tf.model.network import Network
from lgcnet_tf.space import random_genotype

SIZE = (33, 48)


def check(network):
    nodes = diagram(network)
    seen = set()
    for node in nodes:
        assert seen >= set(node.inputs), node
        assert node.name not in seen
        seen.add(node.name)
    assert not set(network.units) - seen
    read = {name for node in nodes for name in node.inputs}
    return nodes, [node.name for node in nodes if node.name not in read]


@pytest.mark.parametrize("fusion", ["dense", "cas", "none", "aspp", "ppm"])
def test_a_derived_network(fusion, small_skeleton):
    skeleton = small_skeleton(fusion=fusion)
    genotype = random_genotype(skeleton, np.random.default_rng(1))
    nodes, ends = check(Network(skeleton, SIZE, genotype))
    assert ends == ["resize"]
    found = {node.name: node for node in nodes}
    for cell, chosen in enumerate(genotype.cells):
        for name, operation in zip(("s0_n0", "n0_n1"), (chosen[0], chosen[4])):
            path = f"cell_{cell}/edge_{name}/{operation}"
            assert path not in found or found[path].operation == operation


def test_a_supernet(small_skeleton):
    skeleton = small_skeleton(
        num_cells=3, reduction_cells=(1, 2), fusion_taps=(0, 1, 2)
    )
    nodes, ends = check(Network(skeleton, SIZE))
    assert ends == ["resize"]
    mixed = [node for node in nodes if node.name.endswith("/mixed")]
    assert sorted(len(node.inputs) for node in mixed) == sorted(
        len(edge.candidates) for edge in skeleton.edges
    )


def test_a_backbone(small_skeleton):
    genotype = random_genotype(small_skeleton(), np.random.default_rng(1))
    _, ends = check(build_classifier(genotype, 5, SIZE))
    assert ends == ["classifier"]
