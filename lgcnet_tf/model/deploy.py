"""Carrying weights between forms of a network; the deployed form."""

import numpy as np

from lgcnet_tf.model.folded_fusion import FoldedFusionCell
from lgcnet_tf.model.network import Network


def deploy(network: Network) -> Network:
    """The network as it is served: pruned, normalisation folded into the convs.

    Args:
        network: a derived network in its `"affine"` or `"plain"` form.

    Returns:
        A new `Network`, `normalization="folded"`, the classifier being part of
        a searched fusion cell (`FoldedFusionCell`); its logits are equal to within
        rounding.

    Raises:
        ValueError: the network is a supernet.
    """
    if network.genotype is None:
        raise ValueError("deploy: a supernet has no single network to deploy.")
    if network.normalization == "folded":
        return network
    deployed = Network(
        network.skeleton, network.input_size, network.genotype, "folded"
    )
    _transfer(network, deployed, lambda unit: unit.folded_weights())
    return deployed


def copy_weights(source: Network, target: Network) -> None:
    """Sets every unit of `target` to the weights of its namesake in `source`.

    So a derived network takes its part of the supernet's weights, and a pruned
    one its part of an unpruned one's; kernels lose the input channels of nodes
    that `target` does not have.

    Raises:
        KeyError: `target` has a unit that `source` lacks.
    """
    _transfer(source, target, lambda unit: unit.get_weights())


def _transfer(source, target, read):
    units = source.units
    # Whether edges and classifier are to be folded into one another.
    inside = isinstance(target.fusion, FoldedFusionCell) and source.classifier
    for path, unit in target.units.items():
        if inside and path.startswith("fusion/edge_"):
            continue
        weights = read(units[path])
        cell = _cell_read(path, target)
        if cell is not None:
            kernel = next(i for i, w in enumerate(weights) if np.ndim(w) == 4)
            weights[kernel] = _kept(weights[kernel], source, target, cell)
        unit.set_weights(weights)
    if inside:
        target.fusion.fold(source.fusion, source.classifier)
        return
    if target.classifier is None:
        return
    weights = source.classifier.get_weights()
    if target.fusion is None:
        weights[0] = _kept(weights[0], source, target, target.skeleton.last_cell)
    target.classifier.set_weights(weights)


def _cell_read(path, target):
    """The cell whose output a unit reads; None for the others."""
    owner, _, name = path.partition("/")
    if owner.startswith("cell_") and name.startswith("preprocess_"):
        cell = int(owner.removeprefix("cell_")) - (2 if name.endswith("s0") else 1)
    elif owner == "fusion" and name in target.fusion.readers:
        cell = target.skeleton.taps[target.fusion.readers[name]]
    else:
        return None
    return None if cell < 0 else cell


def _kept(kernel, source, target, cell):
    """A kernel that reads `cell`'s output first, without the nodes `target` lacks."""
    width = target.skeleton.cells[cell].channels
    before, after = (network.cells[str(cell)].nodes for network in (source, target))
    kept = [np.arange(width) + before.index(node) * width for node in after]
    rest = np.arange(len(before) * width, kernel.shape[2])  # of other maps
    return kernel[:, :, np.concatenate([*kept, rest])]
