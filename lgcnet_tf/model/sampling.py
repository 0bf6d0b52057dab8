"""One of an edge's candidates, chosen while the graph runs."""

import keras
from keras import ops


class OneOf:
    """Evaluates one of several candidates, forward and backward.

    The 75 edges of a supernet have but a dozen different sets of candidates.
    On TensorFlow each set is traced once, with its kernels as arguments, and
    called for every edge that has it: tracing all branches of all edges takes
    minutes. One object serves the edges of one network.
    """

    def __init__(self):
        self._functions = {}

    def __call__(self, key, candidates, index, x, weight):
        """`candidates[index]` of x, times `weight`.

        Args:
            key: hashable; edges of equal keys have equal candidates.
            candidates: built layers, called with x and the weight, that change
                no variable; `none` stays zeros.
            index: scalar int tensor.
            x: (batch, height, width, channels).
            weight: scalar.
        """
        variables = [v for layer in candidates for v in layer.trainable_variables]

        def branch(candidate):
            def call(x, weight, *values):
                with keras.StatelessScope(list(zip(variables, values))):
                    return candidate(x, weight)

            return call  # a new one each time: JAX would reuse a trace of the old

        def evaluate(index, *operands):
            return ops.switch(index, [branch(c) for c in candidates], *operands)

        function = evaluate
        if keras.backend.backend() == "tensorflow":
            if key not in self._functions:
                self._functions[key] = _traced_once(evaluate)
            function = self._functions[key]
        return function(index, x, weight, *map(ops.copy, variables))


def _traced_once(function):
    import tensorflow as tf

    # Inlined at every call, the branches would be optimised as often: more time
    # at the first step and more memory throughout.
    return tf.function(
        function, autograph=False, experimental_attributes={"_noinline": True}
    )
