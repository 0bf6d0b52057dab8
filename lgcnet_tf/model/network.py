"""The one builder: supernet and derived network are the same code."""

import functools
from typing import Any

import keras
from keras import ops

from lgcnet_tf.config import format_size
from lgcnet_tf.errors import InputError
from lgcnet_tf.model.cell import Cell
from lgcnet_tf.model.folded_fusion import FoldedFusionCell
from lgcnet_tf.model.form import SAMPLINGS, Form
from lgcnet_tf.model.heads import build_fusion
from lgcnet_tf.model.operations import build_operation
from lgcnet_tf.model.plain_layers import LogitsResize
from lgcnet_tf.model.remat import recomputed
from lgcnet_tf.model.tracing import SharedTraces
from lgcnet_tf.model.units import Unit, build_for, sublayers, use_of
from lgcnet_tf.model.variables import named_alike
from lgcnet_tf.space.cells import CELL_EDGES
from lgcnet_tf.space.genotype import Genotype, fusion_candidates
from lgcnet_tf.space.operations import check_known
from lgcnet_tf.space.pruning import liveness
from lgcnet_tf.space.skeleton import Size, Skeleton

CLASSIFIER = "classifier"
"""Name of the layer, where the fusion does not classify."""


@keras.saving.register_keras_serializable("lgcnet_tf")
class Network(keras.Model):
    """Stem, cells, fusion, classifier, resize (Fig. 3).

    With a genotype this is the derived network, pruned of what does nothing;
    without one the supernet, in which every edge is a `MixedOp` over all its
    candidates and `call` takes their weights Z. `derived` and `supernet` say which.

    The network works at one static image size; `set_weights` carries weights
    to the same network at another.

    Args:
        skeleton: the fixed frame; or a genotype, in which it stands.
        input_size: (height, width) of the images; by default the one that the
            genotype was searched at.
        genotype: the chosen operations, or None for the supernet.
        normalization: one of `units.NORMALIZATIONS`, or what earlier releases called
            it; by default `"train"` for a derived network and `"search"` for the
            supernet.
        sampling: of a supernet; `"hard"` evaluates on each edge only the
            candidate of largest Z, see `Form`.
        remat: in training, recomputes each cell for the gradients instead of
            keeping its activations.

    Call arguments:
        images: RGB in 0…255, uint8 or float, (batch, height, width, 3).
        weights: for the supernet, Z of every edge of `Skeleton.edges`, (E, C), or
            (E, C, batch, 1, 1, 1), of each image its own.

    Returns:
        Logits, (batch, height, width, num_classes), float32.

    Raises:
        InputError: in the genotype no path leads from the image to the output, or
            an operation is of an extension that was not imported; no input size is
            known; images of another size, or a supernet without Z.

    Example:
        With `genotype` of a search, or of a network of `load`:

        >>> import lgcnet_tf as lt
        >>> untrained = lt.Network(genotype, (64, 96))
        >>> untrained.input_size, untrained.num_classes
        ((64, 96), 11)
    """

    def __init__(
        self,
        skeleton: Skeleton | Genotype,
        input_size: Size | None = None,
        genotype: Genotype | None = None,
        normalization: str | None = None,
        sampling: str = SAMPLINGS[0],
        remat: bool = False,
        **kwargs,
    ):
        super().__init__(autocast=False, **kwargs)
        if isinstance(skeleton, Genotype):
            genotype, skeleton = skeleton, skeleton.skeleton
        if input_size is None and genotype is not None:
            input_size = genotype.provenance.get("input_size")
        if input_size is None:
            raise InputError("network: input_size is missing: (height, width).")
        if genotype is not None and genotype.skeleton != skeleton:
            raise InputError("network: the genotype belongs to another skeleton.")
        self.skeleton = skeleton
        self.input_size = tuple(input_size)
        self.genotype = genotype
        self.num_classes = skeleton.num_classes
        self.normalization = use_of(
            normalization or ("train" if genotype else "search")
        )
        style = {"normalization": self.normalization}
        traces = None if genotype else SharedTraces()
        form = Form(self.normalization, sampling, traces)

        if genotype is None:
            candidates = skeleton.cell_operations
            cells = ((candidates,) * len(CELL_EDGES),) * skeleton.num_cells
            fusion = fusion_candidates(skeleton)
        else:
            cells = tuple(tuple((op,) for op in cell) for cell in genotype.cells)
            fusion = {edge: (op,) for edge, op in genotype.fusion.items()}
        used = [op for cell in cells for edge in cell for op in edge]
        used += [op for edge in fusion.values() for op in edge]
        check_known("network", used, skeleton.extensions)

        self.rescale = keras.layers.Rescaling(1 / 127.5, offset=-1)
        self.stem = [
            build_operation("stem_conv_3x3", c, stride, name=f"stem_{i}", **style)
            for i, (c, stride) in enumerate(zip(skeleton.stem_channels, (2, 1, 2)))
        ]
        self.live = liveness(skeleton, cells)
        self.cells = {
            str(spec.index): Cell(
                spec,
                cells[spec.index],
                self.live[spec.index],
                self.input_size,
                form,
                name=f"cell_{spec.index}",
            )
            for spec in skeleton.cells[: skeleton.last_cell + 1]
            if self.live[spec.index].needed
        }
        present = [bool(self.live[tap].nodes) for tap in skeleton.taps]
        if not any(present):
            raise InputError(
                "genotype: no path leads from the image to the output; all that "
                f"cells {', '.join(map(str, skeleton.taps))} read is `none`."
            )
        self.fusion = build_fusion(
            skeleton,
            fusion,
            present,
            self.input_size,
            form,
            name="fusion",
        )
        self.classifier = None  # where the fusion classifies
        if not isinstance(self.fusion, FoldedFusionCell):
            self.classifier = build_operation(
                "classifier", skeleton.num_classes, name=CLASSIFIER
            )
        self.resize = LogitsResize(self.input_size)
        self.remat = remat
        with named_alike():
            self.build((None, *self.input_size, 3))

    @classmethod
    def supernet(
        cls,
        skeleton: Skeleton,
        input_size: Size,
        *,
        sampling: str = SAMPLINGS[0],
        remat: bool = False,
    ) -> "Network":
        """The supernet of a search space; arguments as of the class."""
        return cls(skeleton, input_size, sampling=sampling, remat=remat)

    @classmethod
    def derived(
        cls,
        genotype: Genotype,
        input_size: Size,
        *,
        normalization: str = "train",
        remat: bool = False,
    ) -> "Network":
        """The network of a genotype; arguments as of the class."""
        return cls(genotype.skeleton, input_size, genotype, normalization, remat=remat)

    def __call__(self, images, *args, **kwargs):
        """`call`, after a look at its arguments, which would fail deep inside."""
        weights = args[0] if args else kwargs.get("weights")
        try:
            size = tuple(images.shape[1:3])
        except (AttributeError, ValueError):  # of a tensor of unknown rank
            size = ()
        pairs = zip(size, self.input_size)
        if any(given not in (None, wanted) for given, wanted in pairs):
            raise InputError(
                f"network: takes images of {format_size(self.input_size)}. Received: "
                f"{format_size(size)}; load(..., input_size=...) makes it for others."
            )
        if weights is None and self.genotype is None:
            raise InputError(
                "network: a supernet takes the weights Z of its candidates with the "
                "images."
            )
        return super().__call__(images, *args, **kwargs)

    def build(self, input_shape):
        """Builds all parts for what their inputs are; the constructor calls it."""
        channels = 3
        for layer in self.stem:
            build_for(layer, channels)
            channels = layer.channels
        outputs = {-2: channels, -1: channels}
        for index in range(self.skeleton.last_cell + 1):
            cell = self.cells.get(str(index))
            outputs[index] = 0
            if cell:
                before = outputs[index - 2], outputs[index - 1]
                cell.build([(None, None, None, count) for count in before])
                outputs[index] = len(cell.nodes) * cell.channels
        channels = outputs[self.skeleton.last_cell]
        if self.fusion is not None:
            taps = [outputs[tap] for tap in self.skeleton.taps]
            self.fusion.build([(None, None, None, count) for count in taps])
        if self.classifier is not None:
            if self.fusion is not None:
                channels = self.fusion.channels
            build_for(self.classifier, channels)

    def call(self, images, weights=None, training=None):
        maps = self.cell_outputs(images, weights, training)
        return self.classify(maps, weights, training)

    def classify(self, maps, weights=None, training=None):
        """The logits, of what `cell_outputs` gives."""
        x = self.fused(maps, weights, training)
        if self.classifier is not None:
            x = self.classifier(x)
        return self.resize(ops.cast(x, "float32"))

    def features(self, images, weights=None, training=None):
        """What the classifier reads: (batch, height, width, channels)."""
        return self.fused(
            self.cell_outputs(images, weights, training), weights, training
        )

    def cell_outputs(self, images, weights=None, training=None):
        """By a cell's index its output; the stem's under -2 and -1.

        Each is (batch, height, width, channels), or None of a cell that is not built.
        """
        x = self.rescale(ops.cast(images, self.compute_dtype))
        for layer in self.stem:
            x = layer(x, training=training)
        maps = {-2: x, -1: x}
        if weights is not None:
            operations = len(self.skeleton.cell_operations)
            z = weights[: self.skeleton.cell_edges, :operations]
            step = len(CELL_EDGES)
            z = [z[i * step : (i + 1) * step] for i in range(self.skeleton.num_cells)]
        for index in range(self.skeleton.last_cell + 1):
            cell = self.cells.get(str(index))
            maps[index] = cell and self._run(
                cell,
                (maps[index - 2], maps[index - 1]),
                None if weights is None else z[index],
                training,
            )
        return maps

    def fused(self, maps, weights=None, training=None):
        """What the classifier reads, of what `cell_outputs` gives."""
        if self.fusion is None:
            return maps[self.skeleton.last_cell]
        return self._run(
            self.fusion,
            [maps[tap] for tap in self.skeleton.taps],
            None if weights is None else weights[self.skeleton.cell_edges :],
            training,
        )

    def _run(self, layer, inputs, weights, training):
        if self.remat and training:
            return recomputed(layer, inputs, weights, training=training)
        return layer(inputs, weights, training=training)

    @functools.cached_property
    def cells_read(self) -> dict[str, int]:
        """The cell whose output is read, by the path of each unit that reads one.

        The classifier, which is no unit, stands there too where it reads a cell.
        """
        found = {}
        for index, cell in self.cells.items():
            for age, source in ((2, "s0"), (1, "s1")):
                if source in cell.preprocess and int(index) >= age:
                    unit = cell.preprocess[source]
                    found[f"{cell.name}/{unit.name}"] = int(index) - age
        if self.fusion is None:
            found[CLASSIFIER] = self.skeleton.last_cell
        else:
            for name, tap in self.fusion.readers.items():
                found[f"{self.fusion.name}/{name}"] = self.skeleton.taps[tap]
        return found

    @property
    def units(self) -> dict[str, Unit]:
        """Every unit by its path in the network, e.g. `cell_0/edge_s0_n0/conv_3x3`."""
        return dict(_walk(self, ""))

    def get_config(self) -> dict[str, Any]:
        return {
            "skeleton": self.skeleton.to_dict(),
            "input_size": list(self.input_size),
            "genotype": self.genotype and self.genotype.to_dict(),
            "normalization": self.normalization,
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config):
        config = dict(config)
        genotype = config.pop("genotype")
        config.pop("prune", None)  # of earlier releases
        return cls(
            Skeleton.from_dict(config.pop("skeleton")),
            genotype=genotype and Genotype.from_dict(genotype),
            **config,
        )

    def get_build_config(self):
        return None  # everything is built by the constructor


def _walk(layer, path):
    for child in sublayers(layer, include_self=False, recursive=False):
        below = f"{path}/{child.name}".lstrip("/")
        if isinstance(child, Unit):
            yield below, child
        else:
            yield from _walk(child, below)
