"""Gradients of a supernet on the JAX backend, in a process of their own."""

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

import jax
import keras
import numpy as np
from keras import ops

from lgcnet_tf.model.network import Network
from lgcnet_tf.model.precision import precision
from lgcnet_tf.space import Skeleton

assert keras.backend.backend() == "jax"
size = (17, 32)
skeleton = Skeleton(
    num_classes=3, initial_channels=2, num_cells=1, reduction_cells=(), fusion="none",
    cell_operations=("none", "skip_connect", "max_pool_3x3", "dil_sep_conv_3x3_d2"),
)
images = np.random.default_rng(0).integers(0, 256, (2, *size, 3), np.uint8)
one_hot = np.eye(4, dtype="float32")[[1, 3, 0, 3, 2]]

weights = Network(skeleton, size).get_weights()


def gradients(sampling="soft", remat=False):
    network = Network(skeleton, size, sampling=sampling, remat=remat)
    network.set_weights(weights)
    z = one_hot
    if sampling == "per_image":
        z = np.repeat(one_hot[..., None], 2, axis=-1)[..., None, None, None]

    def loss(trainable, others):
        logits, others = network.stateless_call(
            trainable, others, images, weights=z, training=True
        )
        return ops.mean(logits**2), others

    state = [[v.value for v in vs] for vs in (
        network.trainable_variables, network.non_trainable_variables
    )]
    (value, others), found = jax.jit(jax.value_and_grad(loss, has_aux=True))(*state)
    return value, *others, *found


for sampling, others in (("soft", ("soft", "per_image")), ("hard", ("hard",))):
    a = gradients(sampling)
    for other in others:
        for x, y in zip(a, gradients(other, remat=True), strict=True):
            np.testing.assert_allclose(x, y, atol=1e-5)
with precision(True):
    mixed = gradients("hard")
np.testing.assert_allclose(mixed[0], a[0], rtol=0.1)
assert {x.dtype.name for x in mixed if x.dtype.name.startswith("float")} == {"float32"}
assert "tensorflow" not in sys.modules
print("ran on", keras.backend.backend())
"""


@pytest.mark.skipif(
    importlib.util.find_spec("jax") is None,
    reason="JAX is not installed; `pip install lgcnet_tf[jax]` brings it.",
)
def test_hard_sampling_remat_and_mixed_precision():
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=os.environ | QUICKLY,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert result.returncode == 0, result.stderr
    assert "ran on jax" in result.stdout
