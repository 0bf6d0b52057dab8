"""The architecture parameters α, their sampling (Eq. 4) and their argmax."""

from typing import Any

import keras
import numpy as np
from keras import ops

from lgcnet_tf.guidance import GAMMA, WIDTH, Communication
from lgcnet_tf.space.fusion import FUSION_KEEP_EDGES, FUSION_UP_EDGES
from lgcnet_tf.space.genotype import Genotype, fusion_candidates
from lgcnet_tf.space.operations import (
    CELL_OPERATIONS,
    FUSION_OPERATIONS,
    UP_OPERATIONS,
)
from lgcnet_tf.space.skeleton import CELL_EDGES, Skeleton


def gumbel_softmax(logits, noise, temperature):
    """Z = softmax((log α + G) / τ), Eq. 4.

    Args:
        logits: α, unconstrained, (..., operations); log α is their log-softmax.
        noise: G, of the same shape.
        temperature: τ > 0.
    """
    return ops.softmax((ops.log_softmax(logits, axis=-1) + noise) / temperature, axis=-1)


class Architecture(keras.layers.Layer):
    """α of every edge and the communication between cells.

    The fusion cell's logits stand outside the communication.

    Args:
        skeleton: says which edges there are.
        communication: mode, see `lgcnet_tf.guidance`.
        width, gamma: of the GCN-guided modules.
        seed: of the Gumbel noise and of the initial logits.
    """

    SCOPE = "architecture"
    """Name of the layer, by which `JointOptimizer` knows its variables."""

    def __init__(
        self, skeleton: Skeleton, communication="ggm", width=WIDTH, gamma=GAMMA, seed=0
    ):
        super().__init__(name=self.SCOPE)
        self.skeleton = skeleton
        self.communication = Communication(
            communication, width, gamma, name="communication"
        )
        self.noise = keras.random.SeedGenerator(seed, name="gumbel")
        self.shapes = {
            "cells": (skeleton.num_cells, len(CELL_EDGES), len(CELL_OPERATIONS))
        }
        if skeleton.fusion == "dense":
            self.shapes["keep"] = (len(FUSION_KEEP_EDGES), len(FUSION_OPERATIONS))
            self.shapes["up"] = (len(FUSION_UP_EDGES), len(UP_OPERATIONS))
        self.alpha = {
            name: self.add_weight(
                shape=shape,
                initializer=keras.initializers.RandomNormal(stddev=1e-3, seed=seed + i),
                name=f"alpha_{name}",
            )
            for i, (name, shape) in enumerate(self.shapes.items())
        }
        with keras.name_scope(self.name):  # in their paths, for `JointOptimizer`
            self.communication.build(self.shapes["cells"])
        self.built = True

    def updated(self) -> dict[str, Any]:
        """α': `cells` (K, 5, 8) after communication, `keep` (5, 10), `up` (8, 2)."""
        alpha = {name: ops.convert_to_tensor(v) for name, v in self.alpha.items()}
        return alpha | {"cells": self.communication(alpha["cells"])}

    def call(self, temperature, training=None):
        """Draws Z for every edge; without noise when not training.

        Returns:
            `cells`, (K, 5, 8), and `fusion`, a dict of each fusion edge's name
            to (candidates,): what the supernet and the latency take.
        """
        z = {}
        for name, logits in self.updated().items():
            noise = ops.zeros(self.shapes[name])
            if training:
                tiny = keras.config.epsilon()
                uniform = keras.random.uniform(
                    self.shapes[name], tiny, 1.0 - tiny, seed=self.noise
                )
                noise = -ops.log(-ops.log(uniform))
            z[name] = gumbel_softmax(logits, noise, temperature)
        fusion = {}
        for name, edges in (("keep", FUSION_KEEP_EDGES), ("up", FUSION_UP_EDGES)):
            if name in z:
                fusion |= {edge.name: z[name][i] for i, edge in enumerate(edges)}
        return {"cells": z["cells"], "fusion": fusion}

    def probabilities(self) -> dict[str, np.ndarray]:
        """softmax(α') as NumPy arrays, by the names of `updated`."""
        return {
            name: ops.convert_to_numpy(ops.softmax(logits, axis=-1))
            for name, logits in self.updated().items()
        }

    def derive(self, provenance: dict[str, Any] | None = None) -> Genotype:
        """The genotype of the argmax of α' on every edge, `none` included."""
        best = {name: p.argmax(-1) for name, p in self.probabilities().items()}
        fusion = {}
        for name, edges in (("keep", FUSION_KEEP_EDGES), ("up", FUSION_UP_EDGES)):
            if name in best:
                fusion |= {e.name: e.candidates[i] for e, i in zip(edges, best[name])}
        return Genotype(
            self.skeleton,
            tuple(tuple(CELL_OPERATIONS[i] for i in cell) for cell in best["cells"]),
            {edge: fusion[edge] for edge in fusion_candidates(self.skeleton)},
            provenance or {},
        )
