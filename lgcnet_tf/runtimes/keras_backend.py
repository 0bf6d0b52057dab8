"""Keras on whatever backend it was started with, weights as variables."""

import importlib

import keras
import numpy as np

from lgcnet_tf.convert.precision import computing_in
from lgcnet_tf.convert.settings import FLOATS
from lgcnet_tf.errors import InputError
from lgcnet_tf.runtimes.base import Compiled, Runtime, random_input


class KerasBackend(Runtime):
    """Runs a layer as compiled by Keras' current backend.

    TensorFlow runs a `tf.function`, JAX a jitted function that is waited for,
    PyTorch its eager code.

    Args:
        threads: must be None; Keras has no setting for it.
        precision, images: as for `Runtime`.

    Raises:
        InputError: a number of threads was asked for.
    """

    name = "keras_backend"
    precisions = FLOATS

    def __init__(self, threads=None, precision="float32", images=()):
        super().__init__(threads, precision, images)
        if threads is not None:
            raise InputError(
                "runtime: keras_backend cannot choose its number of threads. "
                f"Received: threads={threads}"
            )
        self.backend = keras.backend.backend()
        library = importlib.import_module(self.backend)
        self.version = (
            f"keras {keras.__version__}, {self.backend} {library.__version__}"
        )
        if accelerators := _accelerators(self.backend):
            self.device = accelerators[0]
        if self.backend == "jax":
            self.call_overhead_us = 0.0  # loops are in the program

    def convert(self, layer, input_shape, input_dtype="float32"):
        x = keras.ops.convert_to_tensor(random_input(input_shape, input_dtype))
        if np.dtype(input_dtype).kind == "f":
            x = keras.ops.cast(x, self.precision)
        with computing_in(layer, self.precision):
            layer(x, training=False)  # makes the variables outside compiled code
        return layer, x

    def load(self, model, batch_size=None):
        layer, x = model
        run = {"tensorflow": _tensorflow, "torch": _torch, "jax": _jax}[self.backend]
        run = run(self._in_precision(layer), layer, x)
        return Compiled(
            lambda: run(x),
            lambda images: keras.ops.convert_to_numpy(
                run(keras.ops.convert_to_tensor(images, x.dtype))
            ),
            self,
            tuple(x.shape),
            keras.backend.standardize_dtype(x.dtype),
        )

    def compile_loop(self, layer, input_shape, input_dtype="float32"):
        if self.backend != "jax":
            return super().compile_loop(layer, input_shape, input_dtype)
        layer, x = self.convert(layer, input_shape, input_dtype)
        loop = _jax_loop(self._in_precision(layer), layer, x)
        return lambda times: loop(x, times)

    def peak_device_bytes(self):
        if self.backend == "jax":
            import jax

            stats = jax.devices()[0].memory_stats() or {}
            return stats.get("peak_bytes_in_use")
        return None

    def _in_precision(self, layer):
        def call(x):
            with computing_in(layer, self.precision):
                return layer(x, training=False)

        return call


def _accelerators(backend):
    """Names of the devices that the backend runs on where they are no CPU."""
    if backend == "torch":  # has none of `keras.distribution`
        import torch

        count = torch.cuda.device_count()
        return [torch.cuda.get_device_name(index) for index in range(count)]
    devices = keras.distribution.list_devices()
    return [name for name in devices if not name.startswith("cpu")]


def _jax_loop(call, layer, x):
    import jax

    @jax.jit
    def run(values, x, times):
        def body(_, carry):
            # The barrier makes each turn depend on the one before.
            x, _ = jax.lax.optimization_barrier(carry)
            with keras.StatelessScope(zip(layer.variables, values)):
                return x, call(x)

        y = jax.eval_shape(lambda x: body(0, (x, 0))[1], x)
        start = jax.numpy.zeros(y.shape, y.dtype)
        return jax.lax.fori_loop(0, times, body, (x, start))[1]

    def run_and_wait(x, times):
        # Read at each call: Keras' own functions give their arrays away (donation).
        values = [v.value for v in layer.variables]
        return jax.block_until_ready(run(values, x, times))

    return run_and_wait


def _jax(call, layer, x):
    loop = _jax_loop(call, layer, x)
    return lambda x: loop(x, 1)


def _tensorflow(call, layer, x):
    import tensorflow as tf

    run = tf.function(call).get_concrete_function(tf.TensorSpec(x.shape, x.dtype))

    def run_and_wait(x):
        y = run(x)
        tf.test.experimental.sync_devices()
        return y

    return run_and_wait


def _torch(call, layer, x):
    import torch

    def run_and_wait(x):
        with torch.no_grad():
            y = call(x)
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        return y

    return run_and_wait
