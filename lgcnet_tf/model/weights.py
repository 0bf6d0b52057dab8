"""Moving weights from network to network by what owns them."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from lgcnet_tf.errors import InputError
from lgcnet_tf.model.classifier import ImageClassifier
from lgcnet_tf.model.network import CLASSIFIER, Network

_STATISTICS = ("norm/moving_mean", "norm/moving_variance")
_NAMED = 3  # so many layers are named in a summary


@dataclasses.dataclass(frozen=True)
class TransferReport:
    """What of a network's layers took the weights of another's.

    A layer is a convolution or pooling with its normalisation, named by where it
    stands: cell, edge and operation, as in `Network.units`; or the classifier.

    Attributes:
        taken: for each layer that has the other network's weights, how many
            numbers they are, moving statistics included.
        mismatched: for each layer that the other network has too, but of another
            shape or reading another map, what is different.
        missing: the layers that the other network does not have.
        without_statistics: the taken layers for which the other network kept no
            moving statistics; they begin with mean 0 and variance 1.
        without_affine: the taken layers that lost a learned scale and offset,
            as the target learns none.
        parameters: how many numbers all of the target's layers have.
    """

    taken: dict[str, int]
    mismatched: dict[str, str]
    missing: tuple[str, ...]
    without_statistics: tuple[str, ...]
    without_affine: tuple[str, ...]
    parameters: int

    @property
    def layers(self) -> int:
        """How many layers the target has."""
        return len(self.taken) + len(self.mismatched) + len(self.missing)

    @property
    def complete(self) -> bool:
        """Whether every layer of the target took its weights."""
        return not self.mismatched and not self.missing

    def summary(self) -> str:
        """The report in one line."""
        parts = [
            f"took {len(self.taken)} of {self.layers} layers "
            f"({sum(self.taken.values()):,} of {self.parameters:,} numbers)"
        ]
        if self.mismatched:
            parts.append(f"other shape: {_listed(tuple(self.mismatched))}")
        if self.missing:
            parts.append(f"not there: {_listed(self.missing)}")
        if self.without_statistics:
            parts.append(
                f"{len(self.without_statistics)} layers have no moving statistics "
                "before they are trained, as a hard-sampled supernet keeps none"
            )
        if self.without_affine:
            parts.append(
                f"{len(self.without_affine)} layers lost their learned scale and offset"
            )
        return "; ".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """JSON form, with the counts and the summary."""
        return {
            "summary": self.summary(),
            "layers": self.layers,
            "layers_taken": len(self.taken),
            "parameters": self.parameters,
            "parameters_taken": sum(self.taken.values()),
            **dataclasses.asdict(self),
        }


def transfer_weights(
    source: Network, target: Network, name: str = "the other network"
) -> TransferReport:
    """Gives every layer of `target` the weights of its counterpart in `source`.

    The counterpart stands in the same cell, on the same edge, with the same
    operation. So a derived network takes its part of the supernet's weights, a
    network that of another with other classes all but the classifier, one with
    another genotype what is equal on equal edges, and any of them the backbone of
    an `ImageClassifier`. The size of the images does not matter. What does not fit
    stays as it was. Kernels lose the input channels of nodes that `target` does not
    have; batch normalisation without learned scale and offset gives 1 and 0 to one
    that has them, which computes the same.

    Args:
        source: where the weights come from; left alone.
        target: gets them.
        name: what an error calls `source`.

    Raises:
        InputError: not a single layer fits.
    """
    theirs, ours = _layers(source), _layers(target)
    taken, mismatched, missing = {}, {}, []
    without_statistics, without_affine = [], []
    for path, layer in ours.items():
        if path not in theirs:
            missing.append(path)
            continue
        values = _by_name(theirs[path])
        lost = [variable for variable in values if variable.startswith("norm/")]
        problem = _fit(values, layer, path, source, target)
        if problem:
            mismatched[path] = problem
            continue
        if getattr(getattr(theirs[path], "norm", None), "use_batch_statistics", False):
            without_statistics.append(path)
            for statistic in _STATISTICS:
                values.pop(statistic)
        variables = {_name(variable): variable for variable in layer.variables}
        if any(variable not in variables for variable in lost):
            without_affine.append(path)
        for variable in variables:
            if variable in values:
                variables[variable].assign(values[variable])
        taken[path] = sum(values[v].size for v in variables if v in values)
    report = TransferReport(
        taken,
        mismatched,
        tuple(missing),
        tuple(without_statistics),
        tuple(without_affine),
        target.count_params(),
    )
    if not taken:
        raise InputError(
            f"{name}: its weights fit none of this network's {len(ours)} layers: "
            f"{len(mismatched)} have another shape there, {len(missing)} are absent. "
            "Give a network with the same widths and cells."
        )
    return report


def kept_channels(
    kernel: np.ndarray, path: str, source: Network, target: Network
) -> np.ndarray:
    """A layer's kernel without the input channels of nodes `target` does not have.

    Args:
        kernel: (height, width, in, out), of the layer `path` in `source`.

    Raises:
        ValueError: `target` has nodes in front of the layer that `source` lacks.
    """
    cell = target.cells_read.get(path)
    if cell is None:
        return kernel
    width = target.skeleton.cells[cell].channels
    before, after = (network.cells[str(cell)].nodes for network in (source, target))
    kept = [np.arange(width) + before.index(node) * width for node in after]
    rest = np.arange(len(before) * width, kernel.shape[2])  # of other maps
    return kernel[:, :, np.concatenate([*kept, rest])]


def _layers(network: Network) -> dict[str, keras.layers.Layer]:
    layers = dict(network.units)
    if network.classifier is not None:
        layers[CLASSIFIER] = network.classifier
    return {path: layer for path, layer in layers.items() if layer.variables}


def _by_name(layer):
    return {_name(v): ops.convert_to_numpy(v) for v in layer.variables}


def _name(variable):
    """`conv/kernel`, `norm/gamma`; the same in every network."""
    return "/".join(variable.path.split("/")[-2:])


def _fit(values, layer, path, source, target):
    """Makes `values` fit the layer, or says what is in the way."""
    if path == CLASSIFIER:
        kinds = isinstance(source, ImageClassifier), isinstance(target, ImageClassifier)
        if kinds[0] != kinds[1]:
            return (
                "it classifies images there"
                if kinds[0]
                else "it classifies pixels there"
            )
        if source.num_classes != target.num_classes:
            return f"{source.num_classes} classes there, {target.num_classes} here"
        theirs, ours = (n.genotype and n.genotype.classes for n in (source, target))
        names = zip(theirs.class_names, ours.class_names) if theirs and ours else ()
        for index, (there, here) in enumerate(names):
            if there != here:
                return f"class {index} is {there} there, {here} here"
        if source.skeleton.fusion != target.skeleton.fusion:
            return f"after the fusion {source.skeleton.fusion} there"
    if source.cells_read.get(path) != target.cells_read.get(path):
        return "it reads another cell there"
    kernel = next((name for name, w in values.items() if w.ndim == 4), None)
    if kernel is not None:
        try:
            values[kernel] = kept_channels(values[kernel], path, source, target)
        except (KeyError, ValueError, IndexError):
            return "the cell it reads has other nodes or widths there"
    for variable in layer.variables:
        name = _name(variable)
        if name not in values:
            if name not in ("norm/gamma", "norm/beta"):
                return f"no {name} there"
            fill = np.ones if name == "norm/gamma" else np.zeros
            values[name] = fill(variable.shape, "float32")
        if values[name].shape != tuple(variable.shape):
            return f"{name} is {values[name].shape} there, {tuple(variable.shape)} here"
    names = {_name(variable) for variable in layer.variables}
    folded = [name for name in values if name not in names and "norm/" not in name]
    return f"no {folded[0]} here" if folded else ""


def _listed(paths: Sequence[str]) -> str:
    shown = ", ".join(paths[:_NAMED])
    return f"{len(paths)} ({shown}{', …' if len(paths) > _NAMED else ''})"
