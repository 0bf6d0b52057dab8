"""Networks for images of another size."""

from lgcnet_tf.model.network import Network
from lgcnet_tf.model.units import sublayers
from lgcnet_tf.space.skeleton import Size


def at_size(network: Network, input_size: Size) -> Network:
    """The same network, weights included, for images of another size."""
    config = network.get_config() | {"input_size": input_size}
    other = type(network).from_config(config)
    other.set_weights(network.get_weights())
    if network.genotype is not None:
        other.genotype = network.genotype.for_size(input_size)
    return other


_SIZES = ("input_size", "size", "sizes")
"""What layers keep of the size that they are built for."""


def set_input_size(network: Network, input_size: Size) -> None:
    """Turns a network into that for images of another size; its weights stay.

    What has been traced or compiled of it is for the old size and must be made anew.

    Args:
        network: a derived network that is not folded.
        input_size: (height, width).
    """
    config = network.get_config() | {"input_size": input_size}
    other = type(network).from_config(config)
    pairs = zip(sublayers(network), sublayers(other), strict=True)
    for layer, model in pairs:
        for name in _SIZES:
            if name in vars(model):
                setattr(layer, name, getattr(model, name))
