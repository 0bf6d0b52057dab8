"""The 8 classes of toy_streets."""

from lgcnet_tf.data.info import DatasetInfo

INFO = DatasetInfo.of(
    "toy_streets",
    {
        "road": (128, 64, 128),
        "pavement": (244, 35, 232),
        "building": (70, 70, 70),
        "sky": (70, 130, 180),
        "tree": (107, 142, 35),
        "pole": (220, 220, 0),
        "car": (0, 0, 142),
        "pedestrian": (220, 20, 60),
    },
    group_by=r"^([^_]+)_",
)
