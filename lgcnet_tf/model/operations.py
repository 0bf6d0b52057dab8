"""From an operation's name to its layer: the one place that knows both."""

import keras

from lgcnet_tf.model import units

_DILATIONS = {"sep_conv_3x3": 1} | {
    f"dil_sep_conv_3x3_d{dilation}": dilation for dilation in (2, 4, 8, 12)
}
_BINS = {f"global_pool_{bins}x{bins}": bins for bins in (1, 2, 5)}
_HEAD_DILATIONS = {"fusion_conv_3x3": 1} | {
    f"fusion_conv_3x3_d{dilation}": dilation for dilation in (6, 12, 18)
}
_HEAD_BINS = {f"fusion_pool_{bins}x{bins}": bins for bins in (1, 2, 3, 6)}


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
        operation: a name of Table II or III, of the `Up2` edges or of their
            `FOLLOWED` form, or of `FIXED_OPERATIONS` or `HEAD_OPERATIONS` of
            `space.workloads`, or `classifier`.
        channels: output channels.
        stride: 1 or 2.
        size: (height, width) of the output; used by operations that resize.
        normalization: one of `units.NORMALIZATIONS`.
        **kwargs: given to the layer (`name`).

    Raises:
        ValueError: there is no such operation.
    """
    style = {"normalization": normalization, **kwargs}
    if operation in _DILATIONS:
        dilation = _DILATIONS[operation]
        return units.SeparableConvUnit(channels, stride, dilation, **style)
    if operation in _BINS:
        return units.GlobalPoolUnit(channels, _BINS[operation], size, **style)
    after = {"pre_relu": False, "post_relu": True, **style}  # conv-BN-ReLU
    if operation in _HEAD_DILATIONS:
        dilation = _HEAD_DILATIONS[operation]
        return units.ConvUnit(channels, 3, dilation=dilation, **after)
    if operation in _HEAD_BINS:
        return units.GlobalPoolUnit(channels, _HEAD_BINS[operation], size, **after)
    match operation:
        case "none":
            return units.Zero(stride, **kwargs)
        case "skip_connect":
            if stride == 1:
                return units.Identity(**kwargs)
            return units.PoolConvUnit(channels, **style)
        case "max_pool_3x3":
            return units.PoolUnit(channels, stride, **style)
        case "conv_3x3":
            return units.ConvUnit(channels, 3, stride, **style)
        case "conv_1x1" | "preprocess_1x1":
            return units.ConvUnit(channels, 1, stride, **style)
        case "deconv_3x3":
            return units.UpConvUnit(channels, size, **style)
        case "bilinear_1x1":
            return units.ResizedConvUnit(channels, size, **style | {"pre_relu": False})
        case "bilinear" | "resize":
            return units.Resize(size, **kwargs)
        case "stem_conv_3x3":
            return units.ConvUnit(channels, 3, stride, **after)
        case "fusion_reduce_1x1":
            return units.ConvUnit(channels, 1, **after)
        case "avg_pool_2x2":
            return keras.layers.AveragePooling2D(2, padding="same", **kwargs)
        case "classifier":
            return keras.layers.Conv2D(channels, 1, **kwargs)
    raise ValueError(f"There is no operation {operation!r}.")
