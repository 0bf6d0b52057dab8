"""What can be seen of a search at the end of each epoch."""

import collections
import functools
import pathlib
from typing import Any

import keras
import numpy as np

from lgcnet_tf.architecture_search.architecture import Architecture
from lgcnet_tf.architecture_search.search_model import SearchModel
from lgcnet_tf.architecture_search.verdict import verdict
from lgcnet_tf.data import Samples
from lgcnet_tf.errors import InputError
from lgcnet_tf.evaluation.evaluate import mask_function
from lgcnet_tf.figures import (
    alpha_heatmap,
    draw_fusion_cell,
    draw_genotype,
    png_bytes,
)
from lgcnet_tf.files import atomic_write
from lgcnet_tf.guidance.communication import Communication
from lgcnet_tf.run_folder import RunFolder
from lgcnet_tf.space import Genotype, Skeleton
from lgcnet_tf.space.choices import (
    PROBABILITIES,
    last_change,
    read_probabilities,
    searched_edges,
    sureness,
)
from lgcnet_tf.training.fixed_images import FixedImages
from lgcnet_tf.training.options import TrainingOptions

ALPHAS_HISTORY = "alphas_history.npz"
_RATES = {Architecture.SCOPE: "alpha_lr", Communication.SCOPE: "guidance_lr"}


def entropies(probabilities: np.ndarray) -> np.ndarray:
    """-Σ p log p in nats: (..., operations) → (...)."""
    return -(probabilities * np.log(probabilities + 1e-12)).sum(-1)


class AlphasHistory:
    """softmax(α') at the end of each epoch, in one file.

    An epoch that is done again takes its old place, and what follows goes.

    Args:
        path: file of the array `probabilities`, (epochs, E, C).
        skeleton: of the search.

    Attributes:
        epochs: the (E, C) array of each.
    """

    def __init__(self, path: pathlib.Path, skeleton: Skeleton):
        self.path = path
        self.epochs: list[np.ndarray] = []
        if path.exists():
            try:
                self.epochs = [*read_probabilities(path, skeleton, epochs=True)]
            except InputError:
                return  # its epochs are no longer known

    def put(self, epoch: int, probabilities: np.ndarray) -> None:
        """Keeps the array of `epoch`, from 0; a missing one before it is NaN."""
        del self.epochs[epoch:]
        unknown = np.full_like(probabilities, np.nan)
        self.epochs += [unknown] * (epoch - len(self.epochs))
        self.epochs.append(probabilities)
        with atomic_write(self.path) as temporary:
            np.savez(temporary, **{PROBABILITIES: np.stack(self.epochs)})


class Observer:
    """Figures and pictures of a search; changes nothing of it and draws no noise.

    Args:
        model: the search's.
        folder: gets `alphas_history.npz` and, in its events, entropies and
            pictures.
        options: of the search.
        samples: where the fixed images for predictions come from, if wanted.
    """

    def __init__(
        self,
        model: SearchModel,
        folder: RunFolder,
        options: TrainingOptions,
        samples: Samples | None = None,
    ):
        self.model = model
        self.folder = folder
        self.options = options
        self.skeleton = model.architecture.skeleton
        self.alphas = AlphasHistory(folder / ALPHAS_HISTORY, self.skeleton)
        self.fixed_images = samples and FixedImages(samples, options.crop_size)
        self.predict_mask = mask_function(model)
        self._drawn: Genotype | None = None

    def __call__(self, epoch: int) -> dict[str, float]:
        """Figures of `epoch`, from 0; pictures go into the events.

        The genotype is drawn when it is another one than in the last picture.
        """
        model = self.model
        probabilities = model.architecture.probabilities()
        genotype = model.architecture.derive()
        if self.folder.writes:
            self.alphas.put(epoch, probabilities)
            self.folder.write_scalars(epoch + 1, self._entropies(probabilities))
            if self.options.draws_pictures(epoch):
                pictures = self._pictures(probabilities, genotype)
                self.folder.write_images(epoch + 1, pictures)
        return {
            "temperature": _number(model.temperature),
            "latency_weight": _number(model.latency_loss.weight),
            "derived_latency_ms": model.cost_model.predicted_latency(genotype) / 1000.0,
            "alpha_entropy": float(entropies(probabilities).mean()),
            **{
                _RATES[name]: _number(model.optimizer.inner[name].learning_rate)
                for name in model.optimizer.scopes
            },
        }

    def conclusion(self) -> dict[str, Any]:
        """What the search's results say of its choice; the log gets a verdict.

        Returns:
            `margin` and, unless its file was damaged since, `last_change`; see
            `lgcnet_tf.space.choices`.
        """
        probabilities = self.model.architecture.probabilities()
        found = {"margin": sureness(probabilities, self.skeleton)}
        if self.alphas.epochs:
            epochs = np.stack(self.alphas.epochs)
            found["last_change"] = last_change(epochs, self.skeleton)
        edges = len(searched_edges(self.skeleton))
        self.folder.log.info("%s", verdict(found, edges, self.options.epochs))
        return found

    def _entropies(self, probabilities):
        """Mean of the edges of each cell and of the fusion cell, for the events."""
        parts = collections.defaultdict(list)
        for edge, value in zip(self.skeleton.edges, entropies(probabilities)):
            part = "fusion" if edge.cell is None else f"cell_{edge.cell:02}"
            parts[f"alpha_entropy/{part}"].append(value)
        return {name: float(np.mean(values)) for name, values in parts.items()}

    def _pictures(self, probabilities, genotype):
        names = genotype.skeleton.cell_operations
        draw = functools.partial(alpha_heatmap, operations=names)
        pictures = {"alpha": png_bytes(draw, self.skeleton.of_cells(probabilities))}
        if genotype != self._drawn:
            self._drawn = genotype
            pictures["genotype/cells"] = png_bytes(draw_genotype, genotype)
            if genotype.fusion:
                pictures["genotype/fusion_cell"] = png_bytes(draw_fusion_cell, genotype)
        if self.fixed_images:
            pictures["predictions"] = self.fixed_images.draw(self.predict_mask)
        return pictures


def _number(value):
    if isinstance(value, (int, float)):
        return float(value)  # JAX would round it
    return float(keras.ops.convert_to_numpy(value))
