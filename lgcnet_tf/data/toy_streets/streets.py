"""The toy_streets data set: its splits, drawn when asked for."""

import dataclasses
import hashlib
import pathlib
from collections.abc import Sequence

import numpy as np
import PIL

from lgcnet_tf.data import tfds_source
from lgcnet_tf.data.dataset import Dataset
from lgcnet_tf.data.samples import Sample, Samples
from lgcnet_tf.data.toy_streets.classes import INFO
from lgcnet_tf.data.toy_streets.scene import draw_street

SIZE = (96, 160)
COUNTS = {"train": 128, "val": 32, "test": 32}
SEED = 0


@dataclasses.dataclass(frozen=True)
class Street:
    """The name of a street and the seed that draws it."""

    name: str
    seed: tuple[int, ...]


class ToyStreets(Dataset):
    """Reader that draws every sample anew, always the same for a seed.

    Attributes:
        info: the 8 classes.
        splits: the streets of `train`, `val` and `test`.
    """

    def __init__(
        self,
        size: tuple[int, int] = SIZE,
        counts: dict[str, int] | None = None,
        seed: int = SEED,
    ):
        """Names the streets; draws nothing.

        Args:
            size: (height, width) of the pictures.
            counts: number of streets in each split.
            seed: draws other streets.
        """
        self.info = INFO
        self.size = size
        self.splits: dict[str, Sequence[Street]] = {
            split: [
                Street(f"{split}_{index:04d}", (seed, list(COUNTS).index(split), index))
                for index in range(count)
            ]
            for split, count in (COUNTS if counts is None else counts).items()
        }

    def read(self, entry: Street) -> Sample:
        """Draws one sample."""
        image, label = draw_street(np.random.default_rng(entry.seed), self.size)
        return Sample(entry.name, image, label)

    def load(self, split: str) -> Samples:
        """Opens a split, through TFDS where that is installed."""
        return tfds_source.load_prepared(self, split)

    def inputs(self, split: str) -> dict[str, str]:
        return {"pictures": self.fingerprint()} if self.splits.get(split) else {}

    def fingerprint(self) -> str:
        """A hash of the drawing code, the libraries and the settings."""
        digest = hashlib.sha256(
            f"{PIL.__version__} {np.__version__} {self.size} {self.splits}".encode()
        )
        for path in sorted(pathlib.Path(__file__).parent.glob("*.py")):
            digest.update(path.read_bytes())
        return digest.hexdigest()[:16]
