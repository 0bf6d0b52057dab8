"""TensorFlow with XLA: the frozen graph compiled as a whole."""

import tensorflow as tf
from tensorflow.compiler.tf2xla.ops import gen_xla_ops

from lgcnet_tf.runtimes.tensorflow_graph import TensorFlowGraph


class TensorFlowXLA(TensorFlowGraph):
    """Runs `TensorFlowGraph`'s graph as one XLA program.

    On the CPU, XLA of TensorFlow 2.21 gets a row or column wrong where it resizes
    between some odd sizes (5 to 9, 9 to 17; not 23 to 45 or 97 to 193): times
    are right there, masks are not (github.com/tensorflow/tensorflow/issues/118344).

    Args:
        threads, precision, images: as for `TensorFlowGraph`.
    """

    name = "tensorflow_xla"
    jit_compile = True

    def _compiled_loop(self, loop, specs):
        function = tf.function(loop, input_signature=specs, jit_compile=True)
        return function.get_concrete_function()

    def _barrier(self, x, last):
        # XLA moves what is the same in every turn out of the loop, and leaves
        # out what nothing reads.
        return gen_xla_ops.xla_optimization_barrier([x, last])[0]
