"""The layers on the JAX backend, in a process of their own."""

import importlib.util
import os
import subprocess
import sys

import pytest

PROGRAM = """
import sys

import keras
import numpy as np
from keras import ops

from lgcnet_tf.guidance.communication import Communication
from lgcnet_tf.model.deploy import copy_weights, deploy
from lgcnet_tf.model.network import Network
from lgcnet_tf.space import CELL_OPERATIONS, DENSE, Genotype, Skeleton, uniform

assert keras.backend.backend() == "jax"
skeleton = Skeleton(
    num_classes=3, initial_channels=2, num_cells=3, reduction_cells=(1, 2),
    fusion_taps=(0, 1, 2), fusion_channels=4,
)
cells = tuple(
    tuple(CELL_OPERATIONS[(1 + 5 * k + e) % 8] for e in range(5)) for k in range(3)
)
fusion = {
    e.name: e.candidates[i % len(e.candidates)] for i, e in enumerate(DENSE.edges)
}
genotype = Genotype(skeleton, cells, fusion)
images = np.random.default_rng(0).integers(0, 256, (2, 33, 48, 3), np.uint8)

supernet = Network(skeleton, (33, 48))
derived = Network(skeleton, (33, 48), genotype, "search")
copy_weights(supernet, derived)

alpha = np.full((3, 5, 8), -50.0, "float32")
for k, cell in enumerate(cells):
    for e, name in enumerate(cell):
        alpha[k, e, CELL_OPERATIONS.index(name)] = 50.0
one_hot = np.zeros((28, 10), "float32")
one_hot[:15, :8] = ops.softmax(alpha).reshape(15, 8)
for row, e in zip(one_hot[15:], DENSE.edges, strict=True):
    row[e.candidates.index(fusion[e.name])] = 1.0
pairs = {
    training: (
        supernet(images, weights=one_hot, training=training),
        derived(images, training=training),
    )
    for training in (False, True)
}
for found, expected in pairs.values():
    assert found.shape == expected.shape == (2, 33, 48, 3)
    np.testing.assert_allclose(found, expected, atol=2e-3)

updated = Communication("ggm", [False] * 3)(alpha / 50.0)
assert updated.shape == (3, 5, 8)
np.testing.assert_allclose(
    deploy(derived)(images), derived(images, training=False), atol=1e-4
)
for fusion in ("aspp", "cas"):
    skeleton = Skeleton(
        num_classes=3, initial_channels=2, num_cells=2, reduction_cells=(1,),
        fusion=fusion, fusion_taps=(0, 1), fusion_channels=4,
    )
    network = Network(skeleton, (33, 48), uniform(skeleton, "conv_3x3"))
    np.testing.assert_allclose(
        deploy(network)(images), network(images, training=False), atol=1e-4
    )
assert "tensorflow" not in sys.modules
print("ran on", keras.backend.backend())
"""


@pytest.mark.skipif(
    importlib.util.find_spec("jax") is None,
    reason="JAX is not installed; `pip install lgcnet_tf[jax]` brings it.",
)
def test_networks_build_and_run():
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=os.environ | {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert result.returncode == 0, result.stderr
    assert "ran on jax" in result.stdout
