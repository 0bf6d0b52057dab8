import os

import keras
import pytest

from lgcnet_tf.training.determinism import make_deterministic


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="TensorFlow's own")
def test_tensorflow_is_told(monkeypatch):
    import tensorflow as tf

    told = []
    monkeypatch.setattr(
        tf.config.experimental, "enable_op_determinism", lambda: told.append(1)
    )
    make_deterministic()
    assert told == [1]


@pytest.mark.parametrize(
    "before, after",
    [
        ("", "--xla_gpu_deterministic_ops=true"),
        ("--xla_a=1", "--xla_a=1 --xla_gpu_deterministic_ops=true"),
        ("--xla_gpu_deterministic_ops=false", "--xla_gpu_deterministic_ops=false"),
    ],
)
def test_xla_is_told(monkeypatch, before, after):
    """The flag that the user gave stands."""
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    monkeypatch.setenv("XLA_FLAGS", before)
    make_deterministic()
    assert os.environ["XLA_FLAGS"] == after
