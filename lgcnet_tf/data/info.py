"""What a data set's labels mean: class names and colours."""

import dataclasses

import numpy as np

from lgcnet_tf.errors import InputError

VOID = 255

_CAMVID = {
    "Sky": (128, 128, 128),
    "Building": (128, 0, 0),
    "Pole": (192, 192, 128),
    "Road": (128, 64, 128),
    "Pavement": (0, 0, 192),
    "Tree": (128, 128, 0),
    "SignSymbol": (192, 128, 128),
    "Fence": (64, 64, 128),
    "Car": (64, 0, 128),
    "Pedestrian": (64, 64, 0),
    "Bicyclist": (0, 128, 192),
}

_CITYSCAPES = {
    "road": (128, 64, 128),
    "sidewalk": (244, 35, 232),
    "building": (70, 70, 70),
    "wall": (102, 102, 156),
    "fence": (190, 153, 153),
    "pole": (153, 153, 153),
    "traffic light": (250, 170, 30),
    "traffic sign": (220, 220, 0),
    "vegetation": (107, 142, 35),
    "terrain": (152, 251, 152),
    "sky": (70, 130, 180),
    "person": (220, 20, 60),
    "rider": (255, 0, 0),
    "car": (0, 0, 142),
    "truck": (0, 0, 70),
    "bus": (0, 60, 100),
    "train": (0, 80, 100),
    "motorcycle": (0, 0, 230),
    "bicycle": (119, 11, 32),
}

_TOY_STREETS = {
    "road": (128, 64, 128),
    "pavement": (244, 35, 232),
    "building": (70, 70, 70),
    "sky": (70, 130, 180),
    "tree": (107, 142, 35),
    "pole": (220, 220, 0),
    "car": (0, 0, 142),
    "pedestrian": (220, 20, 60),
}


@dataclasses.dataclass(frozen=True, eq=False)
class DatasetInfo:
    """The classes of a data set.

    Attributes:
        name: name of the data set.
        class_names: name of class 0, 1, ...
        palette: uint8 RGB colours, `(num_classes, 3)`.
        void_label: label value of pixels that belong to no class.
    """

    name: str
    class_names: tuple[str, ...]
    palette: np.ndarray
    void_label: int = VOID

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


def _make(name: str, classes: dict[str, tuple[int, int, int]]) -> DatasetInfo:
    palette = np.array(list(classes.values()), np.uint8)
    palette.flags.writeable = False
    return DatasetInfo(name, tuple(classes), palette)


_INFOS = {
    "toy_streets": _make("toy_streets", _TOY_STREETS),
    "camvid": _make("camvid", _CAMVID),
    "cityscapes": _make("cityscapes", _CITYSCAPES),
}

DATASETS = tuple(_INFOS)


def dataset_info(name: str) -> DatasetInfo:
    """Returns the classes of the data set `name`.

    Raises:
        InputError: there is no such data set; the message lists those there are.
    """
    if name not in _INFOS:
        raise InputError(f"Unknown dataset '{name}'. Available: {', '.join(DATASETS)}.")
    return _INFOS[name]
