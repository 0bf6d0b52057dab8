"""The operations: what can stand on an edge (Tables II and III), and the fixed parts.

An `Operation` says of itself all that anyone asks: whether it carries or costs
anything, what merges, its family and its short name in drawings. What layer it is
stands in `lgcnet_tf.model.operations`, by its kind.
"""

import dataclasses
import re
from collections.abc import Callable, Iterable
from typing import Any

from lgcnet_tf.errors import InputError
from lgcnet_tf.extensions import Registry, hint


@dataclasses.dataclass(frozen=True)
class Operation:
    """One operation.

    Attributes:
        name: by which genotypes, tables and options know it.
        kind: what its layer is, a key of `KINDS`; operations of one kind differ in
            the numbers below.
        kernel: side of its kernel.
        dilation: of the kernel.
        bins: side of what an image is pooled to.
        with_conv: where it has no kernel of its own for a 1×1 convolution behind it
            to become part of: the operation that is both.
        label: what drawings call it; by default made of the name.

    Example:
        >>> import lgcnet_tf as lt
        >>> wide = lt.Operation("sep_conv_5x5", "sep_conv", kernel=5)
        >>> wide.carries, wide.free(stride=1), wide.family
        (True, False, 'separable convolution')
    """

    name: str
    kind: str
    kernel: int = 1
    dilation: int = 1
    bins: int = 0
    with_conv: str = ""
    label: str = ""

    @property
    def carries(self) -> bool:
        """Whether anything passes: all but `none`."""
        return self.kind != "none"

    def free(self, stride: int) -> bool:
        """Whether a deployed network computes nothing for it."""
        return self.kind == "none" or (self.kind == "skip" and stride == 1)

    @property
    def mergeable(self) -> bool:
        """Whether two of the same map, added up, are one with the sum of their kernels."""
        return _kind(self).mergeable

    @property
    def family(self) -> str:
        """Under which a drawing's legend lists it."""
        dilated = self.kind == "sep_conv" and self.dilation > 1
        return f"dilated {_kind(self).family}" if dilated else _kind(self).family

    @property
    def short_name(self) -> str:
        """A name that fits on an edge of a drawing."""
        words = self.name.replace("_", " ")
        return self.label or re.sub(r"(?<=\d)x(?=\d)", "×", words)


@dataclasses.dataclass(frozen=True)
class Kind:
    """What the operations of a kind have in common.

    Attributes:
        family: for drawings.
        mergeable: see `Operation.mergeable`.
        layer: makes the layer, for a kind that was added: called with the operation,
            `channels`, `stride`, `size`, `normalization` and `name`.
    """

    family: str
    mergeable: bool = False
    layer: Callable[..., Any] | None = None


OTHER = "other operation"
"""Family of what is not known here."""

KINDS = Registry(
    "operation: kind",
    {
        "none": Kind("none"),
        "skip": Kind("skip connection"),
        "conv": Kind("convolution", mergeable=True),
        "sep_conv": Kind("separable convolution"),
        "max_pool": Kind("pooling"),
        "global_pool": Kind("pooling", mergeable=True),
        "deconv": Kind("convolution", mergeable=True),
        "resize": Kind("bilinear upsampling", mergeable=True),
        "resized_conv": Kind("bilinear upsampling", mergeable=True),
        # Of the fixed parts; the first two have a ReLU behind instead of before.
        "conv_relu": Kind("convolution"),
        "global_pool_relu": Kind("pooling"),
        "average_pool": Kind("pooling"),
        "classifier": Kind("convolution"),
        "argmax": Kind(OTHER),
    },
)
"""What an operation can be; `lgcnet_tf.model.operations` has the layer of each."""

TABLE_II = (
    Operation("none", "none"),
    Operation("skip_connect", "skip", label="skip"),
    Operation("max_pool_3x3", "max_pool", 3, label="max 3×3"),
    Operation("conv_3x3", "conv", 3),
    Operation("sep_conv_3x3", "sep_conv", 3, label="sep 3×3"),
    Operation("dil_sep_conv_3x3_d2", "sep_conv", 3, 2, label="dil d2"),
    Operation("dil_sep_conv_3x3_d4", "sep_conv", 3, 4, label="dil d4"),
    Operation("dil_sep_conv_3x3_d8", "sep_conv", 3, 8, label="dil d8"),
)
"""The paper's q = 8 candidates of an edge of a cell."""

TABLE_III = (
    Operation("conv_1x1", "conv", 1),
    *(each for each in TABLE_II if each.kind in ("conv", "sep_conv")),
    Operation("dil_sep_conv_3x3_d12", "sep_conv", 3, 12, label="dil d12"),
    Operation("global_pool_1x1", "global_pool", bins=1, label="gpool 1×1"),
    Operation("global_pool_2x2", "global_pool", bins=2, label="gpool 2×2"),
    Operation("global_pool_5x5", "global_pool", bins=5, label="gpool 5×5"),
)
"""The paper's candidates of an edge of the fusion cell that keeps its size."""

UP2 = (
    Operation("deconv_3x3", "deconv", 3),
    Operation("bilinear", "resize", with_conv="bilinear_1x1"),
)
"""Section III-C, the candidates of an `Up2` edge of the fusion cell."""

PARTS = (
    Operation("bilinear_1x1", "resized_conv", 1),
    Operation("stem_conv_3x3", "conv_relu", 3),
    Operation("avg_pool_2x2", "average_pool"),
    Operation("preprocess_1x1", "conv", 1),
    Operation("fusion_reduce_1x1", "conv_relu", 1),
    Operation("resize", "resize"),
    Operation("classifier", "classifier"),
    Operation("argmax", "argmax"),
)
"""Parts of every network, beside its edges."""

HEAD_PARTS = (
    Operation("fusion_conv_3x3", "conv_relu", 3),
    Operation("fusion_conv_3x3_d6", "conv_relu", 3, 6),
    Operation("fusion_conv_3x3_d12", "conv_relu", 3, 12),
    Operation("fusion_conv_3x3_d18", "conv_relu", 3, 18),
    Operation("fusion_pool_1x1", "global_pool_relu", bins=1),
    Operation("fusion_pool_2x2", "global_pool_relu", bins=2),
    Operation("fusion_pool_3x3", "global_pool_relu", bins=3),
    Operation("fusion_pool_6x6", "global_pool_relu", bins=6),
)
"""Parts of the fixed heads (Table X)."""

OPERATIONS = Registry(
    "operation",
    {each.name: each for each in (*TABLE_II, *TABLE_III, *UP2, *PARTS, *HEAD_PARTS)},
)
"""All operations by name."""

CELL_OPERATIONS = tuple(each.name for each in TABLE_II)
FUSION_OPERATIONS = tuple(each.name for each in TABLE_III)
UP_OPERATIONS = tuple(each.name for each in UP2)


def register_operation(
    operation: Operation,
    layer: Callable[..., Any] | None = None,
    *,
    family: str = OTHER,
    mergeable: bool = False,
) -> None:
    """Adds an operation that searches can choose from.

    It becomes a candidate by the options `cell_operations` and `fusion_operations`, or
    the fields of `Skeleton` of these names, or part of a head (`register_head`).

    Args:
        operation: its name must not be one of the package's. Its kind is one of the
            package's, or a new one, which `layer` makes.
        layer: called as `layer(operation, channels=…, stride=…, size=(height, width),
            normalization=…, name=…)`, returns a Keras layer, best an
            `lgcnet_tf.model.units.Unit`.
        family: what a drawing's legend calls the new kind.
        mergeable: see `Operation.mergeable`; for the fusion cell alone.

    Raises:
        InputError: a name of the package's own, or an unknown kind without a layer.

    Example:
        >>> import lgcnet_tf as lt
        >>> lt.register_operation(lt.Operation("conv_5x5", "conv", kernel=5))
        >>> skeleton = lt.Skeleton(cell_operations=("none", "conv_3x3", "conv_5x5"))
    """
    if layer is not None:
        KINDS.register(operation.kind, Kind(family, mergeable, layer))
    else:
        KINDS.find(operation.kind)
    OPERATIONS.register(operation.name, operation)


def operation(name: str) -> Operation:
    """The operation of that name.

    What a file names and is not here, as its extension is not, is described as one
    that carries something and costs something, so that the file can be drawn.
    """
    return OPERATIONS[name] if name in OPERATIONS else Operation(name, "unknown")


def check_known(where: str, names: Iterable[str], extensions: Iterable[str]) -> None:
    """Makes sure that the layers of operations can be made.

    Args:
        where: for the error.
        names: of the operations.
        extensions: see `Skeleton.extensions`.

    Raises:
        InputError: names an operation that is not here, and where it is from.
    """
    for name in dict.fromkeys(names):
        if name not in OPERATIONS:
            raise InputError(
                f"{where}: the operation {name!r} is none of those here"
                f"{hint(extensions)}."
            )


def _kind(operation: Operation) -> Kind:
    return KINDS[operation.kind] if operation.kind in KINDS else Kind(OTHER)
