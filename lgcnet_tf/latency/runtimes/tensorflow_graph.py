"""TensorFlow: a frozen graph, as a SavedModel runs in TensorFlow Serving."""

import keras
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import (
    convert_variables_to_constants_v2,
)

from lgcnet_tf.errors import InputError
from lgcnet_tf.latency.runtimes.base import Runtime, available_cpus, cpu_description


class TensorFlowGraph(Runtime):
    """Runs a graph whose variables were turned into constants.

    Args:
        threads: threads within and across operations; None keeps TensorFlow's
            choice, all CPUs.

    Raises:
        InputError: TensorFlow already runs with another number of threads.
    """

    name = "tensorflow_graph"
    version = tf.__version__

    def __init__(self, threads: int | None = None):
        if keras.backend.backend() != "tensorflow":
            raise InputError(
                "runtime tensorflow_graph: needs KERAS_BACKEND=tensorflow; on this "
                "backend give --runtime=keras_backend."
            )
        if threads is not None:
            try:
                tf.config.threading.set_intra_op_parallelism_threads(threads)
                tf.config.threading.set_inter_op_parallelism_threads(threads)
            except RuntimeError:
                raise InputError(
                    f"runtime: TensorFlow has started already and cannot be set to "
                    f"{threads} threads; choose the threads before its first use."
                ) from None
        self.threads = threads or available_cpus()
        gpus = tf.config.list_physical_devices("GPU")
        self._asynchronous = bool(gpus)
        self.device = cpu_description()
        if gpus:
            details = tf.config.experimental.get_device_details(gpus[0])
            self.device = details.get("device_name", gpus[0].name)

    def compile(self, layer, input_shape, input_dtype="float32"):
        run = _freeze_layer(layer, input_shape, input_dtype)
        x = _random_input(input_shape, input_dtype)
        return self._blocking(lambda: run(x))

    def compile_loop(self, layer, input_shape, input_dtype="float32"):
        once = _freeze_layer(layer, input_shape, input_dtype)

        def loop(x, times):
            # Unrolled, TensorFlow would see the same work several times and do
            # it once; control dependencies would keep it from fusing layers.
            def body(index, _):
                (y,) = tf.nest.flatten(once(x))
                return index + 1, tf.cast(tf.reshape(y, [-1])[0], "float32")

            return tf.while_loop(
                lambda index, _: index < times, body, (0, 0.0), parallel_iterations=1
            )[1]

        run = _freeze(
            loop, tf.TensorSpec(input_shape, input_dtype), tf.TensorSpec((), "int32")
        )
        x = _random_input(input_shape, input_dtype)
        return self._blocking(lambda times: run(x, tf.constant(times)))

    def _blocking(self, run):
        if not self._asynchronous:  # on the CPU the call returns when it is done
            return run

        def run_and_wait(*args):
            y = run(*args)
            tf.test.experimental.sync_devices()
            return y

        return run_and_wait


def _freeze_layer(layer, input_shape, input_dtype):
    spec = tf.TensorSpec(input_shape, input_dtype)
    return _freeze(lambda x: layer(x, training=False), spec)


def _freeze(function, *specs):
    concrete = tf.function(function).get_concrete_function(*specs)
    return convert_variables_to_constants_v2(concrete)


def _random_input(shape, dtype):
    if tf.as_dtype(dtype).is_integer:
        x = tf.random.stateless_uniform(shape, (0, 0), 0, 256, tf.int32)
    else:
        x = tf.random.stateless_normal(shape, (0, 0))
    return tf.cast(x, dtype)
