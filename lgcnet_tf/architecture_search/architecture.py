"""The architecture parameters α, their sampling (Eq. 4) and their argmax."""

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from lgcnet_tf.architecture_search.settings import SAMPLINGS
from lgcnet_tf.errors import InputError
from lgcnet_tf.guidance.communication import Communication
from lgcnet_tf.guidance.settings import GAMMA, WIDTH
from lgcnet_tf.space.cells import CELL_EDGES
from lgcnet_tf.space.genotype import Genotype
from lgcnet_tf.space.skeleton import Skeleton

ABSENT = -1e9
"""α' of what an edge has not: so little that its softmax is 0."""


def gumbel_softmax(logits, noise, temperature):
    """Z = softmax((log α + G) / τ), Eq. 4.

    Args:
        logits: α, unconstrained, (..., operations); log α is their log-softmax.
        noise: G, of the same shape.
        temperature: τ > 0.
    """
    return ops.softmax(
        (ops.log_softmax(logits, axis=-1) + noise) / temperature, axis=-1
    )


def straight_through(z):
    """One-hot of the largest Z, with the gradient of Z (hard sampling).

    So what is multiplied by its entry i is multiplied by
    1 + Z_i - stop_gradient(Z_i).

    Args:
        z: (..., operations).
    """
    best = ops.one_hot(ops.argmax(z, axis=-1), z.shape[-1], dtype=z.dtype)
    return best + (z - ops.stop_gradient(z))


def check_sampling(sampling: str, replicas: int) -> None:
    """Refuses what hard sampling cannot do.

    Replicas sum their batches' statistics, which cannot happen inside a branch.

    Raises:
        InputError: hard sampling on more than one replica.
    """
    if sampling == "hard" and replicas > 1:
        raise InputError(
            "--sampling=hard runs on one device only; give one in --devices or take "
            f"--sampling=soft. Received: {replicas} devices."
        )


class Architecture(keras.layers.Layer):
    """α of every edge and the communication between cells.

    The fusion cell's logits stand outside the communication.

    Args:
        skeleton: says which edges there are.
        communication: mode, see `lgcnet_tf.guidance`.
        width, gamma: of the GCN-guided modules.
        seed: of the Gumbel noise and of the initial logits.
        sampling: `"soft"` draws the mixture Z, `"per_image"` one for each image of a
            batch, `"hard"` the `straight_through` of one.

    Attributes:
        alpha: α, (A, C): the rows of each kind of cell that has logits of its own,
            then the fusion cell's. Without shared cells these are the E edges of
            `Skeleton.edges`. What an edge has not stays 0.
        latest: α' of the last training step, (E, C).
    """

    SCOPE = "architecture"
    """Name of the layer, by which `JointOptimizer` knows its variables."""

    def __init__(
        self,
        skeleton: Skeleton,
        communication="ggm",
        width=WIDTH,
        gamma=GAMMA,
        seed=0,
        sampling=SAMPLINGS[0],
    ):
        super().__init__(name=self.SCOPE)
        self.skeleton = skeleton
        self.sampling = sampling
        self.communication = Communication(
            communication,
            [spec.reduction for spec in skeleton.cells],
            width,
            gamma,
        )
        self.noise = keras.random.SeedGenerator(seed, name="gumbel")
        self.per_kind = (
            self.communication.num_kinds,
            len(CELL_EDGES),
            len(skeleton.cell_operations),
        )
        # Every cell's edges have the same candidates: rows of any will do.
        self.own_rows = math.prod(self.per_kind[:2])
        fusion = skeleton.candidate_mask[skeleton.cell_edges :]
        own = skeleton.candidate_mask[: self.own_rows]
        mask = np.concatenate([own, fusion]).astype("float32")
        normal = keras.initializers.RandomNormal(stddev=1e-3, seed=seed)
        self.alpha = self.add_weight(
            shape=mask.shape,
            initializer=lambda shape, dtype: ops.multiply(normal(shape, dtype), mask),
            name="alpha",
        )
        self.latest = self.add_weight(
            shape=skeleton.candidate_mask.shape,
            initializer="zeros",
            trainable=False,
            autocast=False,
            aggregation="only_first_replica",
            name="latest",
        )
        with keras.name_scope(self.name):  # in their paths, for `JointOptimizer`
            self.communication.build(self.per_kind)
        self.built = True

    def updated(self):
        """α' of every edge, (E, C); what an edge has not is `ABSENT`."""
        alpha = ops.convert_to_tensor(self.alpha)
        return self._every_edge(alpha, self.communication)

    def draw_noise(self, images=None):
        """Gumbel noise G of every edge, (E, C) (Eq. 4).

        Args:
            images: how many have noise of their own, (images, E, C); None for none.
        """
        tiny = keras.config.epsilon()
        shape = self.alpha.shape if images is None else (images, *self.alpha.shape)
        uniform = keras.random.uniform(shape, tiny, 1.0 - tiny, seed=self.noise)
        if images is None:
            return self.gumbel(uniform)
        return ops.vectorized_map(self.gumbel, uniform)

    def gumbel(self, uniform):
        """G, (E, C), of uniform numbers in (0, 1), one for each of `alpha`.

        Cells of one kind are sampled alike.
        """
        noise = -ops.log(-ops.log(uniform))
        return self._every_edge(noise, self.communication.spread)

    def _every_edge(self, rows, of_cells):
        """(A, C) to (E, C), with `of_cells` for (kinds, 5, 8) → (K, 5, 8)."""
        mask = self.skeleton.candidate_mask
        operations = self.per_kind[-1]
        cells = of_cells(ops.reshape(rows[: self.own_rows, :operations], self.per_kind))
        cells = ops.reshape(cells, (-1, operations))
        cells = ops.pad(cells, [(0, 0), (0, mask.shape[1] - operations)])
        found = ops.concatenate([cells, rows[self.own_rows :]], axis=0)
        return ops.where(mask, found, ops.cast(ABSENT, found.dtype))

    def call(self, temperature, training=None, noise=None, batch=None):
        """Draws Z for every edge; without noise when not training.

        In training it also leaves α' in `latest`, for those who look on from
        outside of the graph.

        Args:
            temperature: τ of Eq. 4.
            training: with noise.
            noise: what `draw_noise` gave, or None to draw it here.
            batch: how many images there are; for the noise of each, `"per_image"`.

        Returns:
            Z, (E, C), or (images, E, C) by noise of each; 0 for what an edge has not.
        """
        logits = self.updated()
        drawn = ops.zeros(logits.shape)
        if training:
            self.latest.assign(logits)
            drawn = noise
            if noise is None:
                own = self.sampling == "per_image"
                drawn = self.draw_noise(batch if own else None)
        z = gumbel_softmax(logits, drawn, temperature)
        return straight_through(z) if self.sampling == "hard" else z

    def probabilities(self) -> np.ndarray:
        """softmax(α'), (E, C), 0 for what an edge has not."""
        return ops.convert_to_numpy(ops.softmax(self.updated(), axis=-1))

    def latest_choice(self) -> np.ndarray:
        """The argmax of α' as it was in the last training step: (E,) ints.

        As `CostModel.predicted_latencies` takes it.
        """
        return ops.convert_to_numpy(self.latest).argmax(-1)

    def derive(self, provenance: dict[str, Any] | None = None) -> Genotype:
        """The genotype of the argmax of α' on every edge, `none` included."""
        choice = ops.convert_to_numpy(self.updated()).argmax(-1)
        return Genotype.at(self.skeleton, choice, provenance=provenance or {})
