import os
import subprocess
import sys

import keras
import numpy as np
import pytest

from lgcnet_tf.errors import InputError
from lgcnet_tf.latency.measure import samples
from lgcnet_tf.latency.runtimes import RUNTIMES, get_runtime

tensorflow_only = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="needs Keras on TensorFlow"
)


class Count(keras.layers.Layer):
    """A 3x3 convolution, wide enough to take its time."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.conv = keras.layers.Conv2D(64, 3, padding="same", bias_initializer="ones")

    def call(self, x):
        return self.conv(keras.ops.relu(x))


@tensorflow_only
@pytest.mark.parametrize("name", RUNTIMES)
def test_describes_itself(name):
    runtime = get_runtime(name)
    assert runtime.name == name
    assert runtime.version and runtime.device and runtime.threads >= 1
    assert runtime.precision == "float32"


@tensorflow_only
@pytest.mark.parametrize("name", RUNTIMES)
@pytest.mark.parametrize("dtype", ["float32", "uint8"])
def test_computes_the_layer(name, dtype):
    class Mean(keras.layers.Layer):
        def call(self, x):
            return keras.ops.mean(keras.ops.cast(x, "float32"), axis=(1, 2))

    y = get_runtime(name).compile(Mean(), (1, 64, 64, 3), dtype)()
    y = np.asarray(y[0] if isinstance(y, (list, tuple)) else y)
    assert y.shape == (1, 3)
    np.testing.assert_allclose(y, 127.5 if dtype == "uint8" else 0.0, atol=10)


@tensorflow_only
@pytest.mark.parametrize("name", RUNTIMES)
def test_loop_does_all_the_work(name):
    loop = get_runtime(name).compile_loop(Count(), (1, 48, 48, 64))
    calls = {n: lambda n=n: loop(n) for n in (1, 21)}
    times = samples(calls, repeats=7, warmup=2, min_time_us=0.0)
    assert np.median(times[21]) > 4 * np.median(times[1])


def test_unknown_name_lists_them():
    with pytest.raises(InputError, match="tensorflow_graph, keras_backend.*'tensorrt'"):
        get_runtime("tensorrt")


@tensorflow_only
def test_threads_only_before_the_start():
    get_runtime("tensorflow_graph").compile(Count(), (1, 8, 8, 3))
    with pytest.raises(InputError, match="started already"):
        get_runtime("tensorflow_graph", threads=64)


def test_keras_has_no_threads():
    with pytest.raises(InputError, match="keras_backend cannot choose"):
        get_runtime("keras_backend", threads=1)


def test_threads_of_a_fresh_process():
    pytest.importorskip("tensorflow")
    code = (
        "import tensorflow as tf\n"
        "from lgcnet_tf.latency.runtimes import get_runtime\n"
        "assert get_runtime('tensorflow_graph', threads=1).threads == 1\n"
        "assert tf.config.threading.get_intra_op_parallelism_threads() == 1\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_jax_runs_and_waits():
    pytest.importorskip("jax")
    code = (
        "import keras\n"
        "from lgcnet_tf.latency.runtimes import get_runtime\n"
        "runtime = get_runtime('keras_backend')\n"
        "assert 'jax' in runtime.version\n"
        "layer = keras.layers.Conv2D(4, 3)\n"
        "assert runtime.compile(layer, (1, 8, 8, 3))().shape == (1, 6, 6, 4)\n"
        "assert runtime.compile_loop(layer, (1, 8, 8, 3))(3).shape == (1, 6, 6, 4)\n"
    )
    environment = {**os.environ, "KERAS_BACKEND": "jax"}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
