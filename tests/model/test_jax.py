"""The layers on the JAX backend, in a process of their own."""

import importlib.util
import os
import subprocess
import sys

import pytest

QUICKLY = {
    "KERAS_BACKEND": "jax",
    "JAX_PLATFORMS": "cpu",
    "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
}
"""Each operation runs a few times; compiling it well would take longer."""

PROGRAM = """
import sys

import keras
import numpy as np
from keras import ops

from lgcnet_tf.guidance.communication import Communication
from lgcnet_tf.model.deploy import copy_weights, deploy
from lgcnet_tf.model.network import Network
from lgcnet_tf.space import CELL_OPERATIONS, Genotype, Skeleton, uniform

assert keras.backend.backend() == "jax"
skeleton = Skeleton(
    num_classes=3, initial_channels=2, num_cells=2, reduction_cells=(1,),
    fusion="cas", fusion_taps=(0, 1), fusion_channels=4,
)
cells = tuple(
    tuple(CELL_OPERATIONS[(1 + 5 * k + e) % 8] for e in range(5)) for k in range(2)
)
edges = [(e.name, skeleton.fusion_candidates(e.up)) for e in skeleton.fusion_cell.edges]
fusion = {name: found[i % len(found)] for i, (name, found) in enumerate(edges)}
genotype = Genotype(skeleton, cells, fusion)
images = np.random.default_rng(0).integers(0, 256, (2, 33, 48, 3), np.uint8)

supernet = Network(skeleton, (33, 48))
derived = Network(skeleton, (33, 48), genotype, "search")
copy_weights(supernet, derived)

alpha = np.full((2, 5, 8), -50.0, "float32")
for k, cell in enumerate(cells):
    for e, name in enumerate(cell):
        alpha[k, e, CELL_OPERATIONS.index(name)] = 50.0
one_hot = np.zeros(skeleton.candidate_mask.shape, "float32")
one_hot[:10, :8] = ops.softmax(alpha).reshape(10, 8)
for row, (name, found) in zip(one_hot[10:], edges, strict=True):
    row[found.index(fusion[name])] = 1.0
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

updated = Communication("ggm", [False] * 2)(alpha / 50.0)
assert updated.shape == (2, 5, 8)
np.testing.assert_allclose(
    deploy(derived)(images), derived(images, training=False), atol=1e-4
)
for fusion in ("aspp", "dense"):
    skeleton = Skeleton(
        num_classes=3, initial_channels=2, num_cells=3, reduction_cells=(1, 2),
        fusion=fusion, fusion_taps=(0, 1, 2), fusion_channels=4,
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
        env=os.environ | QUICKLY,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert result.returncode == 0, result.stderr
    assert "ran on jax" in result.stdout
