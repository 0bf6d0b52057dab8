"""The architecture parameters α, their sampling (Eq. 4) and their argmax."""

import dataclasses
from typing import Any

import keras
import numpy as np
from keras import ops

from lgcnet_tf.architecture_search.settings import SAMPLINGS
from lgcnet_tf.errors import InputError
from lgcnet_tf.guidance.communication import Communication
from lgcnet_tf.guidance.settings import GAMMA, WIDTH
from lgcnet_tf.space.genotype import Genotype, fusion_candidates, genotype_at
from lgcnet_tf.space.skeleton import CELL_EDGES, Skeleton


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
        sampling: `"soft"` draws the mixture Z, `"hard"` its `straight_through`.
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
        per_cell = (len(CELL_EDGES), len(skeleton.cell_operations))
        self.shapes = {"cells": (self.communication.num_kinds, *per_cell)}
        table = skeleton.fusion_cell
        groups = {"keep": table.keep_edges, "up": table.up_edges} if table else {}
        self.fusion_edges = {name: edges for name, edges in groups.items() if edges}
        self.place = {edge: i for i, edge in enumerate(fusion_candidates(skeleton))}
        for name, edges in self.fusion_edges.items():
            candidates = skeleton.fusion_candidates(name == "up")
            self.shapes[name] = (len(edges), len(candidates))
        self.alpha = {
            name: self.add_weight(
                shape=shape,
                initializer=keras.initializers.RandomNormal(stddev=1e-3, seed=seed + i),
                name=f"alpha_{name}",
            )
            for i, (name, shape) in enumerate(self.shapes.items())
        }
        self.latest = {
            name: self.add_weight(
                shape=(skeleton.num_cells, *per_cell) if name == "cells" else shape,
                initializer="zeros",
                trainable=False,
                autocast=False,
                aggregation="only_first_replica",
                name=f"latest_{name}",
            )
            for name, shape in self.shapes.items()
        }
        with keras.name_scope(self.name):  # in their paths, for `JointOptimizer`
            self.communication.build(self.shapes["cells"])
        self.built = True

    def updated(self) -> dict[str, Any]:
        """α': `cells` (K, 5, 8) after communication, `keep` (5, 10), `up` (8, 2).

        The sizes are the paper's; a group of which the table has no edge is absent.
        """
        alpha = {name: ops.convert_to_tensor(v) for name, v in self.alpha.items()}
        return alpha | {"cells": self.communication(alpha["cells"])}

    def draw_noise(self) -> dict[str, Any]:
        """Gumbel noise G of each part, by the names of `updated` (Eq. 4)."""
        return {name: self._gumbel(name) for name in self.shapes}

    def _gumbel(self, name):
        tiny = keras.config.epsilon()
        uniform = keras.random.uniform(
            self.shapes[name], tiny, 1.0 - tiny, seed=self.noise
        )
        noise = -ops.log(-ops.log(uniform))
        if name == "cells":  # cells of one kind are sampled alike
            noise = self.communication.spread(noise)
        return noise

    def call(self, temperature, training=None, noise=None):
        """Draws Z for every edge; without noise when not training.

        In training it also leaves α' in `latest`, for those who look on from
        outside of the graph.

        Args:
            temperature: τ of Eq. 4.
            training: with noise.
            noise: what `draw_noise` gave, or None to draw it here.

        Returns:
            `cells`, (K, 5, 8), and `fusion`, a dict of each fusion edge's name
            to (candidates,): what the supernet and the latency take.
        """
        z = {}
        for name, logits in self.updated().items():
            drawn = ops.zeros(logits.shape)
            if training:
                self.latest[name].assign(logits)
                drawn = self._gumbel(name) if noise is None else noise[name]
            z[name] = gumbel_softmax(logits, drawn, temperature)
            if self.sampling == "hard":
                z[name] = straight_through(z[name])
        fusion = {}
        for name, edges in self.fusion_edges.items():
            fusion |= {edge.name: z[name][i] for i, edge in enumerate(edges)}
        return {"cells": z["cells"], "fusion": fusion}

    def probabilities(self) -> dict[str, np.ndarray]:
        """softmax(α') as NumPy arrays, by the names of `updated`."""
        return {
            name: ops.convert_to_numpy(ops.softmax(logits, axis=-1))
            for name, logits in self.updated().items()
        }

    def latest_choice(self) -> np.ndarray:
        """The argmax of α' as it was in the last training step: (E,) ints.

        As `CostModel.predicted_latencies` takes it.
        """
        parts = {n: ops.convert_to_numpy(v) for n, v in self.latest.items()}
        return self.by_edge(parts).argmax(-1)

    def by_edge(self, parts: dict[str, np.ndarray]) -> np.ndarray:
        """What `parts` has of each candidate, (E, C) by `Skeleton.edges`.

        C is the largest number of candidates; what an edge has not is -inf.

        Args:
            parts: arrays by the names of `updated`.
        """
        most = max(len(edge.candidates) for edge in self.skeleton.edges)
        found = np.full((len(self.skeleton.edges), most), -np.inf)
        cells = parts["cells"].reshape(-1, parts["cells"].shape[-1])
        found[: len(cells), : cells.shape[-1]] = cells
        fusion = found[len(cells) :]
        for name, edges in self.fusion_edges.items():
            for edge, values in zip(edges, parts[name]):
                fusion[self.place[edge.name], : len(values)] = values
        return found

    def derive(self, provenance: dict[str, Any] | None = None) -> Genotype:
        """The genotype of the argmax of α' on every edge, `none` included."""
        choice = self.by_edge(self.probabilities()).argmax(-1)
        genotype = genotype_at(self.skeleton, choice)
        return dataclasses.replace(genotype, provenance=provenance or {})
