"""Rematerialisation: activations are computed twice instead of kept."""

import keras
from keras import ops, tree


def recomputed(layer: keras.layers.Layer, *args, training=None):
    """`layer(*args, training=training)`, its inside computed again for gradients.

    Of the layer's activations only `args` live from the forward to the backward
    pass. The region that is computed twice changes no variable: moving
    statistics come out of it as values and are assigned once.

    Args:
        layer: built; its call arguments are nests of float tensors and None.

    Returns:
        What the layer returns, a tensor or, if it does nothing at all, None.
    """
    if not layer.trainable_variables:
        return layer(*args, training=training)
    leaves = tree.flatten(args)
    present = [i for i, leaf in enumerate(leaves) if leaf is not None]
    weights = [ops.copy(v) for v in layer.trainable_variables]
    state = [ops.copy(v) for v in layer.non_trainable_variables]

    def region(*tensors):
        filled = [None] * len(leaves)
        for i, tensor in zip(present, tensors[len(weights) :]):
            filled[i] = tensor
        output, updates = layer.stateless_call(
            list(tensors[: len(weights)]),
            state,
            *tree.pack_sequence_as(args, filled),
            training=training,
        )
        return [output, *(ops.stop_gradient(update) for update in updates)]

    output, *updates = keras.remat(region)(*weights, *(leaves[i] for i in present))
    for variable, update in zip(layer.non_trainable_variables, updates):
        variable.assign(update)
    return output
