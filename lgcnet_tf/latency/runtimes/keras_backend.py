"""Keras on whatever backend it was started with, weights as variables."""

import importlib

import keras
import numpy as np

from lgcnet_tf.errors import InputError
from lgcnet_tf.latency.runtimes.base import Runtime, available_cpus, cpu_description


class KerasBackend(Runtime):
    """Runs a layer as compiled by Keras' current backend.

    TensorFlow runs a `tf.function`, JAX a jitted function that is waited for,
    PyTorch its eager code.

    Args:
        threads: must be None; Keras has no setting for it.

    Raises:
        InputError: a number of threads was asked for.
    """

    name = "keras_backend"

    def __init__(self, threads: int | None = None):
        if threads is not None:
            raise InputError(
                "runtime: keras_backend cannot choose its number of threads. "
                f"Received: threads={threads}"
            )
        self.threads = available_cpus()
        self.backend = keras.backend.backend()
        library = importlib.import_module(self.backend)
        self.version = f"keras {keras.__version__}, {self.backend} {library.__version__}"
        self.device = cpu_description()
        devices = keras.distribution.list_devices()
        accelerators = [d for d in devices if not d.startswith("cpu")]
        if accelerators:
            self.device = accelerators[0]

    def compile(self, layer, input_shape, input_dtype="float32"):
        x = _random_input(input_shape, input_dtype)
        layer(x, training=False)  # makes the variables outside the compiled code
        if self.backend == "jax":
            loop = _jax_loop(layer, x)
            return lambda: loop(1)
        return {"tensorflow": _tensorflow, "torch": _torch}[self.backend](layer, x)

    def compile_loop(self, layer, input_shape, input_dtype="float32"):
        if self.backend != "jax":
            return super().compile_loop(layer, input_shape, input_dtype)
        x = _random_input(input_shape, input_dtype)
        layer(x, training=False)
        return _jax_loop(layer, x)


def _jax_loop(layer, x):
    import jax

    @jax.jit
    def run(values, x, times):
        def body(_, carry):
            # The barrier makes each turn depend on the one before.
            x, _ = jax.lax.optimization_barrier(carry)
            with keras.StatelessScope(zip(layer.variables, values)):
                return x, layer(x, training=False)

        y = jax.eval_shape(lambda x: body(0, (x, 0))[1], x)
        start = jax.numpy.zeros(y.shape, y.dtype)
        return jax.lax.fori_loop(0, times, body, (x, start))[1]

    values = [v.value for v in layer.variables]
    return lambda times: jax.block_until_ready(run(values, x, times))


def _tensorflow(layer, x):
    import tensorflow as tf

    run = tf.function(lambda x: layer(x, training=False)).get_concrete_function(x)

    def run_and_wait():
        y = run(x)
        tf.test.experimental.sync_devices()
        return y

    return run_and_wait


def _torch(layer, x):
    import torch

    def run_and_wait():
        with torch.no_grad():
            y = layer(x, training=False)
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        return y

    return run_and_wait


def _random_input(shape, dtype):
    generator = np.random.default_rng(0)
    if np.issubdtype(np.dtype(dtype), np.integer):
        x = generator.integers(0, 256, shape)
    else:
        x = generator.standard_normal(shape)
    return keras.ops.convert_to_tensor(x.astype(dtype))
