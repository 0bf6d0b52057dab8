"""The mIoU at full size, now and then while training, and pictures."""

from collections.abc import Callable, Mapping

import numpy as np

from lgcnet_tf.data import Samples, load_samples
from lgcnet_tf.errors import NoSuchSplit
from lgcnet_tf.evaluation.evaluate import evaluate, mask_function
from lgcnet_tf.model.network import Network
from lgcnet_tf.run_folder import RunFolder
from lgcnet_tf.space.skeleton import Size
from lgcnet_tf.training.fixed_images import FixedImages
from lgcnet_tf.training.options import TrainingOptions


def load_validation(options: TrainingOptions) -> Samples | None:
    """The validation split; None where none is wanted or the data have none.

    Raises:
        InputError: bad data, or a split that is not the default one and that
            the data do not have.
    """
    split = options.validation_split
    if not split:
        return None
    try:
        return load_samples(
            options.dataset, split, options.data_dir or None, **options.division
        )
    except NoSuchSplit:
        if split != TrainingOptions.validation_split:
            raise
        return None


class Validation:
    """Called at each epoch's end; evaluates every few epochs and at the last.

    Args:
        network: in training, at the size of the crops.
        sets: what to evaluate on, by the name of the figure; empty for never.
            Pictures are of the first.
        input_size: (height, width) of evaluation.
        every: epochs from one evaluation to the next.
        epochs: epochs of the whole run.
        pictures_every: epochs from one picture of predictions to the next; 0
            for none.
        folder: gets the pictures into its events.
        get_weights: gives the weights to evaluate; by default the network's own.
    """

    def __init__(
        self,
        network: Network,
        sets: Mapping[str, Samples],
        input_size: Size,
        every: int,
        epochs: int,
        pictures_every: int = 0,
        folder: RunFolder | None = None,
        get_weights: Callable[[], list[np.ndarray]] | None = None,
    ):
        self.get_weights = get_weights or network.get_weights
        self.sets = sets
        self.every = every
        self.epochs = epochs
        self.pictures_every = pictures_every
        self.folder = folder
        if sets:
            config = network.get_config() | {"input_size": input_size}
            self.full_size = Network.from_config(config)
            self.predict_mask = mask_function(self.full_size)
            if pictures_every:
                first = next(iter(sets.values()))
                self.fixed_images = FixedImages(first, input_size)

    def __call__(self, epoch: int) -> dict[str, float]:
        """Figures of `epoch`, counted from 0, by the sets' names: fractions, or none."""
        done = epoch + 1
        evaluates = self.sets and self._due(done, self.every)
        draws = self.sets and self._due(done, self.pictures_every)
        if evaluates or draws:
            self.full_size.set_weights(self.get_weights())
        if draws:
            picture = self.fixed_images.draw(self.predict_mask)
            self.folder.write_images(done, {"predictions": picture})
        if not evaluates:
            return {}
        return {
            name: evaluate(self.predict_mask, samples, progress=False).miou
            for name, samples in self.sets.items()
        }

    def _due(self, done, every):
        return every and (done % every == 0 or done == self.epochs)
