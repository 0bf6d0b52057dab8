"""CamVid's 11 classes, as SegNet groups the 32 of its labels (Badrinarayanan et al., 2017)."""

from lgcnet_tf.data.info import DatasetInfo

INFO = DatasetInfo.of(
    "camvid",
    {
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
    },
    group_by=r"^([^_]+)_",
)
