"""What labels mean: the names and colours of classes."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lgcnet_tf.errors import InputError

VOID = 255
MAX_CLASSES = 254
"""Class indices are uint8, of which 255 is void; 254 stays free for readers."""


@dataclasses.dataclass(frozen=True, eq=False)
class DatasetInfo:
    """The classes of a data set, and of the networks that are trained on it.

    Attributes:
        name: name of the data set.
        class_names: name of class 0, 1, ...
        palette: uint8 RGB colours, `(num_classes, 3)`.
        void_label: label value of pixels that belong to no class.
        group_by: the data set's own rule for groups, see `groups.groups_of`;
            empty where its names tell none.
    """

    name: str
    class_names: tuple[str, ...]
    palette: np.ndarray
    void_label: int = VOID
    group_by: str = ""

    @classmethod
    def of(
        cls, name: str, classes: Mapping[str, Sequence[int]], group_by: str = ""
    ) -> "DatasetInfo":
        """Makes it from RGB colours by class name, in the order of the classes."""
        palette = np.array(list(classes.values()), np.uint8).reshape(-1, 3)
        palette.flags.writeable = False
        return cls(name, tuple(classes), palette, group_by=group_by)

    @property
    def num_classes(self) -> int:
        return len(self.class_names)

    def colorize(self, mask: np.ndarray) -> np.ndarray:
        """Paints class indices `(height, width)` as RGB `(height, width, 3)`.

        Every value that is no class, void among them, becomes black.
        """
        table = np.zeros((256, 3), np.uint8)
        table[: self.num_classes] = self.palette
        return table[np.asarray(mask, np.uint8)]

    def to_dict(self) -> dict[str, Any]:
        """JSON form, as genotypes and tables keep it; `from_dict` is its inverse."""
        return {
            "dataset": self.name,
            "names": list(self.class_names),
            "colors": np.asarray(self.palette).tolist(),
            "void": int(self.void_label),
        }

    @classmethod
    def from_dict(cls, config: Any) -> "DatasetInfo":
        """Reads `to_dict`'s form.

        Raises:
            InputError: a field is missing or of a wrong kind.
        """
        valid = (
            isinstance(config, dict)
            and set(config) == {"dataset", "names", "colors", "void"}
            and isinstance(config["dataset"], str)
            and type(config["void"]) is int
            and isinstance(config["names"], list)
            and all(isinstance(name, str) for name in config["names"])
            and isinstance(config["colors"], list)
            and len(config["colors"]) == len(config["names"])
            and all(map(is_color, config["colors"]))
        )
        if not valid:
            raise InputError(
                "classes: must be an object with dataset, names, colors (one [red, "
                "green, blue] of 0 to 255 for each name) and void."
            )
        palette = np.array(config["colors"], np.uint8).reshape(-1, 3)
        palette.flags.writeable = False
        return cls(config["dataset"], tuple(config["names"]), palette, config["void"])


def is_color(value: Any) -> bool:
    """Whether a value of a JSON file is `[red, green, blue]`, each 0 to 255."""
    return (
        isinstance(value, (list, tuple))
        and len(value) == 3
        and all(type(part) is int and 0 <= part <= 255 for part in value)
    )
