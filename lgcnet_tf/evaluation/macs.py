"""Multiply-accumulates of a network."""

import contextlib
import math
from collections.abc import Callable, Iterator

import keras

from lgcnet_tf.model.units import sublayers

_CONVOLUTIONS = (
    keras.layers.Conv2D,
    keras.layers.DepthwiseConv2D,
    keras.layers.Conv2DTranspose,
)


def count_macs(network: keras.Model) -> int:
    """Multiply-accumulates of all convolutions for one image.

    The network is traced, not run, so each convolution counts with the shape
    that really reaches it: a kernel is applied once at every output position,
    a transposed one at every input position, padding included. Pooling,
    normalisation, activations and resizing count nothing, as is usual.

    Args:
        network: has a static `input_size`, or an `input_shape`.
    """
    size = getattr(network, "input_size", None) or network.input_shape[1:3]
    counts: list[int] = []
    probe = _Probe(network, counts.clear)
    with contextlib.ExitStack() as stack:
        for layer in sublayers(network):
            if isinstance(layer, _CONVOLUTIONS):
                stack.enter_context(_observed(layer, counts.append))
        probe(keras.KerasTensor((1, *size, 3)))
    return sum(counts)


class _Probe(keras.layers.Layer):
    """Has the network called with a backend's tensors while it is traced.

    A functional model called with a KerasTensor would ask its layers for their
    output shapes and never call them. A backend may trace more than once, so
    every pass starts anew.
    """

    def __init__(self, network, start: Callable[[], None]):
        super().__init__()
        self.network = network
        self.start = start

    def build(self, input_shape):
        """Nothing to build."""

    def call(self, images):
        self.start()
        return self.network(images, training=False)


@contextlib.contextmanager
def _observed(layer, report: Callable[[int], None]) -> Iterator[None]:
    call = layer.call

    def observe(inputs, *args, **kwargs):
        outputs = call(inputs, *args, **kwargs)
        # Keras' kernel of a depthwise conv is (3, 3, channels, multiplier).
        transposed = isinstance(layer, keras.layers.Conv2DTranspose)
        positions = (inputs if transposed else outputs).shape[1:3]
        report(math.prod(positions) * math.prod(layer.kernel.shape))
        return outputs

    # Past Keras' own attribute tracking, which has no business with this.
    object.__setattr__(layer, "call", observe)
    try:
        yield
    finally:
        object.__delattr__(layer, "call")
