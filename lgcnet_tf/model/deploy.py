"""Carrying weights between forms of a network; the deployed form."""

import numpy as np

from lgcnet_tf.model.folded_fusion import FoldedFusionCell
from lgcnet_tf.model.network import CLASSIFIER, Network
from lgcnet_tf.model.weights import kept_channels, transfer_weights


def deploy(network: Network) -> Network:
    """The network as it is served: pruned, normalisation folded into the convs.

    Args:
        network: a derived network in its form for training or search.

    Returns:
        A new `Network`, `normalization="deploy"`, the classifier being part of
        a searched fusion cell (`FoldedFusionCell`); its logits are equal to within
        rounding.

    Raises:
        ValueError: the network is a supernet.

    Example:
        With `net` of `load`:

        >>> import lgcnet_tf as lt
        >>> lt.deploy(net).count_params() < net.count_params()
        True
    """
    if network.genotype is None:
        raise ValueError("deploy: a supernet has no single network to deploy.")
    if network.normalization == "deploy":
        return network
    deployed = Network.derived(
        network.genotype, network.input_size, normalization="deploy"
    )
    _fold(network, deployed)
    return deployed


def copy_weights(source: Network, target: Network) -> None:
    """`transfer_weights` where all of `target` has to fit.

    Raises:
        KeyError: `target` has a layer that `source` lacks, or in another shape.
    """
    report = transfer_weights(source, target)
    if not report.complete:
        raise KeyError(report.summary())


def _fold(source, target):
    units = source.units
    # Whether edges and classifier are to be folded into one another.
    inside = isinstance(target.fusion, FoldedFusionCell)
    apart = {id(edge) for edge in target.fusion.edges.values()} if inside else set()
    for path, unit in target.units.items():
        if id(unit) in apart:
            continue
        weights = units[path].folded_weights()
        for index, weight in enumerate(weights):
            if np.ndim(weight) == 4:
                weights[index] = kept_channels(weight, path, source, target)
                break
        unit.set_weights(weights)
    if inside:
        target.fusion.fold(source.fusion, source.classifier)
        return
    kernel, bias = source.classifier.get_weights()
    kernel = kept_channels(kernel, CLASSIFIER, source, target)
    target.classifier.set_weights([kernel, bias])
