"""One of an edge's candidates, chosen while the graph runs."""

from collections.abc import Sequence

import keras
from keras import ops


def select_candidate(candidates: Sequence[keras.layers.Layer], x, weights):
    """The candidate of largest Z alone, times its Z; forward and backward.

    On TensorFlow the gradient calls the candidate again: a graph in which each
    branch keeps what its gradient needs has outputs for all of the branches,
    which cost more, in memory and before the first step, than they save.

    Args:
        candidates: built layers, called with x and the weight, that change no
            variable; `none` stays zeros.
        x: (batch, height, width, channels).
        weights: Z of the edge, (candidates,).
    """
    variables = [v for layer in candidates for v in layer.trainable_variables]

    def branch(candidate):
        def call(x, weight, *values):
            with keras.StatelessScope(list(zip(variables, values))):
                return candidate(x, weight)

        return call  # a new one each time: JAX would reuse a trace of the old

    index = ops.argmax(weights)
    branches = [branch(candidate) for candidate in candidates]
    operands = x, ops.take(weights, index), *map(ops.copy, variables)
    if keras.backend.backend() == "tensorflow":
        return _switch(index, branches, operands)
    return ops.switch(index, branches, *operands)


def _switch(index, branches, operands):
    import tensorflow as tf

    def derivative(branch, gradient, operands):
        with tf.GradientTape() as tape:
            tape.watch(operands)
            y = branch(*operands)
        return tape.gradient(y, operands, gradient, unconnected_gradients="zero")

    def chosen(function, *arguments):
        return tf.switch_case(
            index, [lambda b=b: function(b, *arguments) for b in branches]
        )

    @tf.custom_gradient
    def call(*operands):
        y = chosen(lambda branch: branch(*operands))
        return y, lambda gradient: chosen(derivative, gradient, operands)

    return call(*operands)
