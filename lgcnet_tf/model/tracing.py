"""Layers as functions of their variables, and graphs traced once for many layers."""

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import keras
from keras import ops

from lgcnet_tf.model.normalization import replicas


def stateless(layers: Sequence[keras.layers.Layer], function: Callable) -> Callable:
    """`function` of tensors, with the variables of `layers` as values too.

    Returns:
        A function of their trainable values, their other values and the
        tensors that returns what `function` does, and the others' new values.
    """
    trained = [v for layer in layers for v in layer.trainable_variables]
    others = [v for layer in layers for v in layer.non_trainable_variables]

    def call(trained_values, other_values, *tensors):
        values = (*trained_values, *other_values)
        with keras.StatelessScope(list(zip([*trained, *others], values))) as scope:
            outputs = function(*tensors)
        return outputs, [scope.get_current_value(v) for v in others]

    return call


class SharedTraces:
    """Runs parts of equal structure through one graph, each with its own weights.

    The 75 edges of a supernet have but a dozen different forms. On TensorFlow
    each form is traced, differentiated and optimised once, as a function that is
    called for every part that has it; a graph of all parts would take minutes.
    Elsewhere, and on several replicas, whose statistics are summed where no
    function may be, the parts are called as they are. One object serves one
    network.
    """

    def __init__(self):
        self._functions = {}

    def __call__(
        self,
        key: Hashable,
        layers: Sequence[keras.layers.Layer],
        function: Callable,
        *tensors: Any,
    ) -> Any:
        """`function(*tensors)`.

        Args:
            key: parts of equal keys differ in nothing but their weights.
            layers: built; what `function` calls.
            function: of tensors, called in the graph of the first part of its key.
            *tensors: nests of tensors.
        """
        if keras.backend.backend() != "tensorflow" or replicas() > 1:
            return function(*tensors)
        if key not in self._functions:
            self._functions[key] = _traced_once(stateless(layers, function))
        trained, others = (
            [v for layer in layers for v in getattr(layer, kind)]
            for kind in ("trainable_variables", "non_trainable_variables")
        )
        outputs, updates = self._functions[key](
            [ops.copy(v) for v in trained], [ops.copy(v) for v in others], *tensors
        )
        for index, update in updates.items():
            others[index].assign(update)
        return outputs


def _traced_once(function):
    import tensorflow as tf

    def call(trained, others, *tensors):
        outputs, after = function(trained, others, *tensors)
        changed = {i: new for i, new in enumerate(after) if new is not others[i]}
        return outputs, changed

    # Inlined at every call, the parts would be optimised as often: more time
    # at the first step and more memory throughout.
    return tf.function(
        call, autograph=False, experimental_attributes={"_noinline": True}
    )
