"""The form that a network is built in, which it hands down to its parts."""

import dataclasses

from lgcnet_tf.model.tracing import SharedTraces
from lgcnet_tf.model.units import use_of

SAMPLINGS = ("soft", "per_image", "hard")


@dataclasses.dataclass(frozen=True)
class Form:
    """How the parts of a network are built.

    Attributes:
        normalization: what for, one of `units.NORMALIZATIONS`.
        sampling: of a supernet's edges. `"soft"` adds up all candidates, weighted by
            Z, and so does `"per_image"`, by each image's own; `"hard"` evaluates the
            one of largest Z alone, times its Z. The others cost neither time nor memory
            then. Candidates normalise by the batch's statistics, at inference too: a
            variable cannot change inside a branch, so moving ones are not kept.
        traces: shares the graph among edges of equal form; None for a graph of its
            own for each.

    Raises:
        ValueError: there is no such normalization or sampling.
    """

    normalization: str
    sampling: str = SAMPLINGS[0]
    traces: SharedTraces | None = None

    def __post_init__(self):
        use_of(self.normalization)
        if self.sampling not in SAMPLINGS:
            raise ValueError(
                f"sampling must be one of {SAMPLINGS}. Received: {self.sampling!r}"
            )
