"""The number format in which a layer computes."""

import contextlib
from collections.abc import Iterator

import keras

from lgcnet_tf.model.plain_layers import LogitsResize
from lgcnet_tf.model.units import sublayers


@contextlib.contextmanager
def computing_in(layer: keras.layers.Layer, precision: str) -> Iterator[None]:
    """Within the block, calls of `layer` compute in `precision`.

    Variables stay float32 and are cast where they are used; a network's last resize
    goes on in float32.

    Args:
        precision: one of `FLOATS`.
    """
    if precision == "float32":
        yield
        return
    policy = keras.DTypePolicy(f"mixed_{precision}")
    changed = []
    try:
        for part in sublayers(layer):
            if part.compute_dtype == "float32" and not isinstance(part, LogitsResize):
                changed.append((part, part.dtype_policy))
                part.dtype_policy = policy
        yield
    finally:
        for part, before in changed:
            part.dtype_policy = before
