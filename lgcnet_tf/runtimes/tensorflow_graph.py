"""TensorFlow: a frozen graph, as a SavedModel runs in TensorFlow Serving."""

import os

import keras
import numpy as np
import tensorflow as tf

from lgcnet_tf.convert.graph import INPUT, OUTPUT, frozen, layer_function
from lgcnet_tf.errors import InputError
from lgcnet_tf.runtimes.base import (
    Compiled,
    Runtime,
    random_input,
    static_shape,
)


class TensorFlowGraph(Runtime):
    """Runs a graph whose variables were turned into constants.

    Args:
        threads: threads within and across operations; None keeps TensorFlow's
            choice, all CPUs.
        precision, images: as for `Runtime`.

    Raises:
        InputError: TensorFlow already runs with another number of threads, or
            Keras is on another backend.
    """

    name = "tensorflow_graph"
    version = tf.__version__
    precisions = ("float32", "float16", "bfloat16")
    call_overhead_us = 0.0  # loops are in the graph
    jit_compile = False

    def __init__(self, threads=None, precision="float32", images=()):
        super().__init__(threads, precision, images)
        if keras.backend.backend() != "tensorflow":
            raise InputError(
                f"runtime {self.name}: needs KERAS_BACKEND=tensorflow; on this "
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
        self._gpus = tf.config.list_physical_devices("GPU")
        if self._gpus:
            details = tf.config.experimental.get_device_details(self._gpus[0])
            self.device = details.get("device_name", self._gpus[0].name)

    def convert(self, layer, input_shape, input_dtype="float32"):
        function = layer_function(layer, input_shape, input_dtype, self.precision)
        graph = frozen(function).graph
        (y,) = [o for o in graph.outputs if o.dtype != tf.resource]
        with graph.as_default():
            tf.identity(y, OUTPUT)
        return graph.as_graph_def().SerializeToString()

    def load(self, model, batch_size=None):
        if isinstance(model, (str, os.PathLike)):
            function, shape, dtype = _saved_model(model, batch_size)
        else:
            definition = tf.compat.v1.GraphDef.FromString(model)
            imported = tf.compat.v1.wrap_function(
                lambda: tf.import_graph_def(definition, name=""), []
            )
            source = imported.graph.get_tensor_by_name(f"{INPUT}:0")
            function = imported.prune(source, f"{OUTPUT}:0")
            shape, dtype = tuple(source.shape), source.dtype
        # Called as it is, what was pruned raises and catches an error each time, with
        # the image in its text: up to a millisecond.
        called = tf.function(
            function, autograph=False, jit_compile=self.jit_compile or None
        ).get_concrete_function(tf.TensorSpec(shape, dtype))
        # A network's constants lie on the device; so does what it runs on.
        x = tf.constant(random_input(shape, dtype.as_numpy_dtype), dtype)
        run = self._waiting(lambda: called(x))

        def predict(images):
            return np.asarray(called(tf.constant(images, dtype)))

        predict.keep = function  # what it is made of owns a SavedModel's variables
        return Compiled(run, predict, self, shape, dtype.name)

    def compile_loop(self, layer, input_shape, input_dtype="float32"):
        once = layer_function(layer, input_shape, input_dtype, self.precision)
        once = frozen(once)
        (spec,) = once.inputs

        def loop(x, times):
            # Unrolled, TensorFlow would see the same work several times and do
            # it once; control dependencies would keep it from fusing layers.
            def body(index, last):
                (y,) = tf.nest.flatten(once(self._barrier(x, last)))
                y = self._barrier(y, last)
                return index + 1, tf.cast(tf.reshape(y, [-1])[0], "float32")

            return tf.while_loop(
                lambda index, _: index < times, body, (0, 0.0), parallel_iterations=1
            )[1]

        specs = tf.TensorSpec(spec.shape, spec.dtype), tf.TensorSpec((), "int32")
        run = self._compiled_loop(loop, specs)
        x = tf.constant(
            random_input(tuple(spec.shape), spec.dtype.as_numpy_dtype), spec.dtype
        )
        return self._waiting(lambda times: run(x, tf.constant(times)))

    def peak_device_bytes(self):
        if not self._gpus:
            return None
        return tf.config.experimental.get_memory_info("GPU:0")["peak"]

    def _compiled_loop(self, loop, specs):
        return frozen(loop, *specs)

    def _barrier(self, x, last):
        """Makes sure that `x` is known after `last` only, and as a whole."""
        return x

    def _waiting(self, run):
        if not self._gpus:  # on the CPU the call returns when it is done
            return run

        def run_and_wait(*args):
            y = run(*args)
            tf.test.experimental.sync_devices()
            return y

        return run_and_wait


def _saved_model(folder, batch_size):
    """The `serving_default` signature's mask, with input shape and type."""
    loaded = tf.saved_model.load(os.fspath(folder))
    segment = loaded.signatures["serving_default"]
    (spec,) = segment.structured_input_signature[1].values()

    def function(x):
        return segment(**{spec.name: x})["mask"]

    function.keep = loaded  # it owns the variables
    return function, static_shape(str(folder), spec.shape, batch_size), spec.dtype
