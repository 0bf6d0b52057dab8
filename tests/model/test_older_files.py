"""Files of an earlier release are read as they were meant.

`tests/older` was written before networks knew their classes, before candidates of
edges were fields of a skeleton and before forms had their names.
"""

import pathlib

import numpy as np
import pytest
from keras import ops

from lgcnet_tf.files import read_json
from lgcnet_tf.latency.estimate import CostModel
from lgcnet_tf.latency.table import LatencyTable
from lgcnet_tf.model.zoo import load_network
from lgcnet_tf.space.genotype import Genotype

OLDER = pathlib.Path(__file__).parents[1] / "older"


def test_a_network_computes_what_it_did():
    with np.load(OLDER / "answer.npz") as answer:
        images, expected = answer["images"], answer["logits"]
    network = load_network(OLDER / "model.keras")
    assert network.genotype.classes is None
    found = ops.convert_to_numpy(network(images))
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_a_table_predicts_what_it_did():
    table = LatencyTable.load(OLDER / "latency_table.json")
    genotype = Genotype.load(OLDER / "genotype.json")
    assert genotype == load_network(OLDER / "model.keras").genotype
    costs = CostModel(table, genotype.skeleton, table.input_size)
    expected = read_json(OLDER / "answer.json")["predicted_us"]
    assert costs.predicted_latency(genotype) == pytest.approx(expected, rel=1e-9)
