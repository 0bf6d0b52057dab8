"""The weights of the best validation, kept beside the last ones."""

import dataclasses
import math
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras

from lgcnet_tf.files import atomic_write
from lgcnet_tf.run_folder import BEST_MODEL, MODEL, RunFolder
from lgcnet_tf.training.progress import figures_text
from lgcnet_tf.training.resumption import Position


@dataclasses.dataclass(frozen=True)
class Best:
    """What is best, and how it is saved.

    Attributes:
        figure: name of the figure of an epoch whose largest value is the best.
        save: writes the network with the weights that were measured to a path.
    """

    figure: str
    save: Callable[[pathlib.Path], None]

    def epoch_of(self, history: Sequence[Mapping[str, Any]]) -> int | None:
        """The epoch, from 1, with the best figure: the first of equal ones.

        None where no epoch has a figure that is a number.
        """
        known = [
            (entry[self.figure], -entry["epoch"])
            for entry in history
            if self.figure in entry and not math.isnan(entry[self.figure])
        ]
        return -max(known)[1] if known else None

    def results(self, history: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """The best for `results.json`: file, epoch and figure; empty without one."""
        epoch = self.epoch_of(history)
        if epoch is None:
            return {}
        return {
            "best_model": BEST_MODEL,
            "best_epoch": epoch,
            f"best_{self.figure}": history[epoch - 1][self.figure],
        }

    def log(self, folder: RunFolder, history: Sequence[Mapping[str, Any]]) -> None:
        """Says which of the two files is which, where there are two."""
        epoch = self.epoch_of(history)
        if epoch is None:
            return
        figures = figures_text({self.figure: history[epoch - 1][self.figure]})
        folder.log.info(
            "%s: the weights of the last epoch, %d", folder / MODEL, len(history)
        )
        folder.log.info(
            "%s: those of the best validation, epoch %d (%s)",
            folder / BEST_MODEL,
            epoch,
            figures,
        )


class BestWeights(keras.callbacks.Callback):
    """Writes `best.keras` when an epoch has validated better than all before.

    The history says which epoch that is, and the file is written after the
    checkpoint of that epoch, from the same weights. A run that died between the two
    writes it when it resumes there, so that history and file always agree.
    """

    def __init__(self, best: Best, position: Position, folder: RunFolder):
        super().__init__()
        self.best = best
        self.position = position
        self.folder = folder

    def save_if_best(self) -> None:
        """Writes the file if the last finished epoch is the best.

        The model has to have the weights of the end of that epoch.
        """
        history = self.position.history
        epoch = self.best.epoch_of(history)
        if self.folder.writes and epoch is not None and epoch == len(history):
            with atomic_write(self.folder / BEST_MODEL) as temporary:
                self.best.save(temporary)

    def on_epoch_end(self, epoch, logs=None):
        self.save_if_best()
