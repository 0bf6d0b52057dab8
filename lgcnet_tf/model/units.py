"""Convolutions with their normalisation: what every operation is made of.

Each unit exists in three forms, named by what its `normalization` is for:

- `"search"`: batch normalisation without learned scale and offset;
- `"train"`: batch normalisation with both;
- `"deploy"`: none, the normalisation being part of the convolution.

`folded_weights` of either of the first two gives the weights of the third.
"""

import keras
from keras import ops

from lgcnet_tf.model.normalization import BatchNorm
from lgcnet_tf.model.plain_layers import AdaptiveAveragePool, Resize

NORMALIZATIONS = ("search", "train", "deploy")
_EARLIER = {"plain": "search", "affine": "train", "folded": "deploy"}


def use_of(normalization: str) -> str:
    """One of `NORMALIZATIONS`, also by the name that earlier releases saved.

    Raises:
        ValueError: there is no such normalization.
    """
    name = _EARLIER.get(normalization, normalization)
    if name not in NORMALIZATIONS:
        raise ValueError(
            f"normalization must be one of {NORMALIZATIONS}. Received: {normalization!r}"
        )
    return name


def sublayers(
    layer: keras.layers.Layer, include_self: bool = True, recursive: bool = True
) -> list[keras.layers.Layer]:
    """The layers that a layer is made of, each before its own.

    Args:
        layer: or a model.
        include_self: it comes first.
        recursive: False leaves out the layers of its layers.
    """
    # Keras has no public walk over the parts of a layer that is no model.
    return [*layer._flatten_layers(include_self=include_self, recursive=recursive)]


class Composite(keras.layers.Layer):
    """A layer made of layers, which its `build` builds.

    Left to Keras, the whole of `call` would be traced to find out their shapes.
    """

    def __init__(self, **kwargs):
        super().__init__(autocast=False, **kwargs)  # Z stays float32

    def build(self, input_shape):
        raise NotImplementedError


def build_for(layer: keras.layers.Layer, channels: int) -> None:
    """Builds a layer for maps of any size with so many channels."""
    if not layer.built:
        layer.build((None, None, None, channels))


class Unit(keras.layers.Layer):
    """ReLU (optional) → linear map → batch normalisation → ReLU (optional).

    Args:
        channels: output channels.
        normalization: one of `NORMALIZATIONS`.
        pre_relu: a ReLU comes first, as on the edges of a cell.
        post_relu: a ReLU comes last, as in the stem.

    Call arguments:
        x: (batch, height, width, channels).
        weight: multiplies the result, Z of Eq. 3: a scalar, or (batch, 1, 1, 1).

    Example:
        A unit of one's own says what its linear map is:

        >>> import keras, lgcnet_tf as lt
        >>> class Pointwise(lt.Unit):
        ...     def build_linear(self, input_shape):
        ...         self.conv = keras.layers.Conv2D(self.channels, 1, use_bias=False)
        ...         self.conv.build(input_shape)
        ...         return self.conv.compute_output_shape(input_shape)
        ...     def linear(self, x):
        ...         return self.conv(x)
        >>> Pointwise(4)(keras.ops.ones((1, 2, 3, 8))).shape
        TensorShape([1, 2, 3, 4])
    """

    def __init__(
        self, channels, normalization="train", pre_relu=True, post_relu=False, **kwargs
    ):
        super().__init__(autocast=False, **kwargs)  # Z stays float32
        self.channels = channels
        self.normalization = use_of(normalization)
        self.pre_relu = pre_relu
        self.post_relu = post_relu
        self.folded = self.normalization == "deploy"
        self.norm = (
            None
            if self.folded
            else BatchNorm(affine=self.normalization == "train", name="norm")
        )

    def build(self, input_shape):
        shape = self.build_linear(input_shape)
        if self.norm is not None:
            self.norm.build(shape)

    def call(self, x, weight=None, training=None):
        if self.pre_relu:
            x = ops.relu(x)
        x = self.linear(x)
        if self.norm is not None:
            x = self.norm(x, weight, training=training)
        elif weight is not None:
            x = x * ops.cast(weight, x.dtype)
        return ops.relu(x) if self.post_relu else x

    def max_pool(self, x, size, stride):
        """Max pooling with padding; in a search its gradient pools once more.

        TensorFlow has a gradient that is ten times as fast on CPUs, but takes
        it only where the pooling itself is in the same graph, and the gradients
        of edges that share a trace are in one of their own.
        """

        def pool(x):
            return ops.max_pool(x, size, strides=stride, padding="same")

        again = (
            self.normalization == "search" and keras.backend.backend() == "tensorflow"
        )
        return keras.remat(pool)(x) if again else pool(x)

    def build_linear(self, input_shape):
        """Builds the layers before the normalisation, returns its input shape."""
        raise NotImplementedError

    def linear(self, x):
        """The linear map: (batch, height, width, channels) in and out."""
        raise NotImplementedError

    def folded_weights(self):
        """Weights of the same unit in its folded form, as `set_weights` takes them."""
        raise NotImplementedError


class ConvUnit(Unit):
    """A k×k convolution, or with `transpose` one that doubles the resolution."""

    def __init__(
        self,
        channels,
        kernel_size=1,
        stride=1,
        transpose=False,
        dilation=1,
        **kwargs,
    ):
        super().__init__(channels, **kwargs)
        kind = keras.layers.Conv2DTranspose if transpose else keras.layers.Conv2D
        self.transpose = transpose
        self.conv = kind(
            channels,
            kernel_size,
            strides=2 if transpose else stride,
            padding="same",
            dilation_rate=dilation,
            use_bias=self.folded,
            kernel_initializer="he_normal",
            name="conv",
        )

    def build_linear(self, input_shape):
        self.conv.build(input_shape)
        return self.conv.compute_output_shape(input_shape)

    def linear(self, x):
        return self.conv(x)

    def folded_weights(self):
        scale, offset = self.norm.scale_and_offset()
        kernel = ops.convert_to_numpy(self.conv.kernel)
        if self.transpose:  # its output channels stand before the input's
            scale = scale[:, None]
        return [kernel * scale, offset]


class SeparableConvUnit(Unit):
    """Depthwise k×k, then pointwise 1×1 (Table II and III).

    With stride 2 and an even dilation d, the input is subsampled by 2 and the
    dilation halved, which gives the same numbers as dilating first for a
    quarter of the work; Keras refuses the direct form.

    Raises:
        ValueError: stride 2 with an odd dilation above 1.
    """

    def __init__(self, channels, stride=1, dilation=1, kernel_size=3, **kwargs):
        super().__init__(channels, **kwargs)
        self.subsample = stride > 1 and dilation > 1
        if self.subsample:
            if dilation % stride:
                raise ValueError(
                    "A strided dilated convolution needs a dilation that the "
                    f"stride divides. Received: stride={stride}, dilation={dilation}"
                )
            stride, dilation = 1, dilation // stride
        self.depthwise = keras.layers.DepthwiseConv2D(
            kernel_size,
            strides=stride,
            dilation_rate=dilation,
            padding="same",
            use_bias=False,
            depthwise_initializer="he_normal",
            name="depthwise",
        )
        self.pointwise = keras.layers.Conv2D(
            channels,
            1,
            use_bias=self.folded,
            kernel_initializer="he_normal",
            name="pointwise",
        )

    def build_linear(self, input_shape):
        self.depthwise.build(input_shape)
        self.pointwise.build(input_shape)  # the same channels, whatever the size
        return (*input_shape[:-1], self.channels)

    def linear(self, x):
        if self.subsample:
            # x[:, ::2, ::2], for which TensorFlow's slicing takes ten times longer.
            x = self.max_pool(x, 1, 2)
        return self.pointwise(self.depthwise(x))

    def folded_weights(self):
        scale, offset = self.norm.scale_and_offset()
        depthwise, pointwise = (
            ops.convert_to_numpy(layer.kernel)
            for layer in (self.depthwise, self.pointwise)
        )
        return [depthwise, pointwise * scale, offset]


class PoolUnit(Unit):
    """k×k max pooling; folded, its normalisation is a scale and an offset."""

    def __init__(self, channels, stride=1, pool_size=3, **kwargs):
        super().__init__(channels, pre_relu=False, **kwargs)
        self.stride = stride
        self.pool_size = pool_size

    def build_linear(self, input_shape):
        if self.folded:
            shape = (self.channels,)
            self.scale = self.add_weight(shape=shape, initializer="ones", name="scale")
            self.offset = self.add_weight(
                shape=shape, initializer="zeros", name="offset"
            )
        return input_shape

    def linear(self, x):
        x = self.max_pool(x, self.pool_size, self.stride)
        if not self.folded:
            return x
        return x * ops.cast(self.scale, x.dtype) + ops.cast(self.offset, x.dtype)

    def folded_weights(self):
        return list(self.norm.scale_and_offset())


class PoolConvUnit(ConvUnit):
    """2×2 average pooling, then a 1×1 conv: `skip_connect` at stride 2."""

    def __init__(self, channels, **kwargs):
        super().__init__(channels, pre_relu=False, **kwargs)
        self.pool = keras.layers.AveragePooling2D(2, padding="same")

    def linear(self, x):
        return super().linear(self.pool(x))


class UpConvUnit(ConvUnit):
    """A transposed conv that lands on `size`, cropping where that is odd."""

    def __init__(self, channels, size, kernel_size=3, **kwargs):
        super().__init__(channels, kernel_size=kernel_size, transpose=True, **kwargs)
        self.size = tuple(size)

    def linear(self, x):
        height, width = self.size
        return super().linear(x)[:, :height, :width, :]


class ResizedConvUnit(ConvUnit):
    """A 1×1 conv, then bilinear interpolation to `size`."""

    def __init__(self, channels, size, **kwargs):
        super().__init__(channels, **kwargs)
        self.resize = Resize(size)

    def call(self, x, weight=None, training=None):
        return self.resize(super().call(x, weight, training=training))


class GlobalPoolUnit(ResizedConvUnit):
    """Adaptive average pooling to bins × bins → 1×1 conv → bilinear resize.

    The last three rows of Table III, and the pooled branches of ASPP and PPM.
    """

    def __init__(self, channels, bins, size, **kwargs):
        super().__init__(channels, size, **kwargs)
        self.pool = AdaptiveAveragePool(bins)

    def call(self, x, weight=None, training=None):
        return super().call(self.pool(x), weight, training=training)
