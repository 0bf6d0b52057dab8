"""The weights of the best validation, kept beside the last ones."""

import math
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras

from lgcnet_tf.files import atomic_write
from lgcnet_tf.run_folder import BEST_MODEL, MODEL, RunFolder
from lgcnet_tf.training.progress import figures_text
from lgcnet_tf.training.resumption import Position


def best_epoch(
    history: Sequence[Mapping[str, Any]], figure: str, since: int = 0
) -> int | None:
    """The epoch, from 1, whose figure is the largest: the first of equal ones.

    Args:
        history: the figures of each epoch.
        figure: its name; an epoch may lack it.
        since: so many epochs at the beginning do not count.

    Returns:
        None where no epoch has a figure that is a number.
    """
    known = [
        (entry[figure], -entry["epoch"])
        for entry in history[since:]
        if figure in entry and not math.isnan(entry[figure])
    ]
    return -max(known)[1] if known else None


class BestWeights(keras.callbacks.Callback):
    """Writes `best.keras` when an epoch has validated better than all before.

    The history says which epoch that is, and the file is written after the
    checkpoint of that epoch, from the same weights. A run that died between the two
    writes it when it resumes there, so that history and file always agree.

    Args:
        figure: of an epoch; its largest value is the best.
        save: writes the network with the weights that were measured to a path.
    """

    def __init__(self, figure: str, save: Callable[[pathlib.Path], None]):
        super().__init__()
        self.figure = figure
        self.save = save
        self.position: Position | None = None
        self.folder: RunFolder | None = None

    def follow(self, position: Position, folder: RunFolder) -> None:
        """Says which run it is; `fit` does, before the run resumes."""
        self.position, self.folder = position, folder

    @property
    def epoch(self) -> int | None:
        """The epoch, from 1, whose weights the file has; None without one."""
        position = self.position
        return best_epoch(position.history, self.figure, position.kept_since)

    def save_if_best(self) -> None:
        """Writes the file if the last finished epoch is the best.

        The model has to have the weights of the end of that epoch.
        """
        epoch = self.epoch
        if not self.folder.writes or epoch is None:
            return
        if epoch == len(self.position.history):
            with atomic_write(self.folder / BEST_MODEL) as temporary:
                self.save(temporary)

    def results(self) -> dict[str, Any]:
        """For `results.json`: file, epoch and figure; empty without a best one."""
        if self.epoch is None:
            return {}
        return {
            "best_model": BEST_MODEL,
            "best_epoch": self.epoch,
            f"best_{self.figure}": self.position.history[self.epoch - 1][self.figure],
        }

    def log(self) -> None:
        """Says which of the two files is which, where there are two."""
        if self.epoch is None:
            return
        history = self.position.history
        figures = figures_text({self.figure: history[self.epoch - 1][self.figure]})
        self.folder.log.info(
            "%s: the weights of the last epoch, %d", self.folder / MODEL, len(history)
        )
        self.folder.log.info(
            "%s: those of the best validation, epoch %d (%s)",
            self.folder / BEST_MODEL,
            self.epoch,
            figures,
        )

    def on_epoch_end(self, epoch, logs=None):
        self.save_if_best()
