"""From an operation to its layer: a constructor for each kind."""

import keras

from lgcnet_tf.errors import InputError
from lgcnet_tf.model import plain_layers, units
from lgcnet_tf.space.operations import KINDS, OPERATIONS


def build_operation(
    operation: str,
    channels: int,
    stride: int = 1,
    size: tuple[int, int] | None = None,
    normalization: str = "train",
    **kwargs,
) -> keras.layers.Layer:
    """Makes the layer of a candidate operation or of a fixed part.

    Args:
        operation: one of `space.operations.OPERATIONS`, by name.
        channels: output channels.
        stride: 1 or 2.
        size: (height, width) of the output; used by operations that resize.
        normalization: one of `units.NORMALIZATIONS`.
        **kwargs: given to the layer (`name`).

    Raises:
        InputError: there is no such operation, or it cannot halve a map.
    """
    it = OPERATIONS.find(operation)
    style = {"normalization": normalization, **kwargs}
    after = {"pre_relu": False, "post_relu": True, **style}  # conv-BN-ReLU
    if stride > 1 and it.dilation > 1 and (it.kind == "conv" or it.dilation % stride):
        raise InputError(
            f"operation {operation!r}: a convolution of dilation {it.dilation} cannot "
            "halve a map; a separable one of even dilation can."
        )
    match it.kind:
        case "none":
            return plain_layers.Zero(stride, **kwargs)
        case "skip" if stride == 1:
            return plain_layers.Identity(**kwargs)
        case "skip":
            return units.PoolConvUnit(channels, **style)
        case "max_pool":
            return units.PoolUnit(channels, stride, it.kernel, **style)
        case "conv":
            return units.ConvUnit(
                channels, it.kernel, stride, dilation=it.dilation, **style
            )
        case "sep_conv":
            return units.SeparableConvUnit(
                channels, stride, it.dilation, it.kernel, **style
            )
        case "global_pool":
            return units.GlobalPoolUnit(channels, it.bins, size, **style)
        case "deconv":
            return units.UpConvUnit(channels, size, it.kernel, **style)
        case "resize":
            return plain_layers.Resize(size, **kwargs)
        case "resized_conv":
            return units.ResizedConvUnit(channels, size, **style | {"pre_relu": False})
        case "conv_relu":
            return units.ConvUnit(
                channels, it.kernel, stride, dilation=it.dilation, **after
            )
        case "global_pool_relu":
            return units.GlobalPoolUnit(channels, it.bins, size, **after)
        case "average_pool":
            return keras.layers.AveragePooling2D(2, padding="same", **kwargs)
        case "classifier":
            return keras.layers.Conv2D(channels, 1, **kwargs)
    layer = KINDS.find(it.kind).layer
    if layer is None:
        raise InputError(f"operation {operation!r}: there is no layer for it.")
    return layer(it, channels=channels, stride=stride, size=size, **style)
