"""Annotations of labelling tools, read and written as a data folder."""

import pathlib
from collections.abc import Callable

from lgcnet_tf.data.importers.annotation import AnnotatedImage, Annotations
from lgcnet_tf.data.importers.coco import read_coco
from lgcnet_tf.data.importers.cvat import read_cvat
from lgcnet_tf.data.importers.label_studio import read_label_studio
from lgcnet_tf.data.importers.labelme import read_labelme
from lgcnet_tf.data.importers.supervisely import read_supervisely
from lgcnet_tf.data.importers.voc import read_voc
from lgcnet_tf.data.importers.write import Written, write_data_folder

Reader = Callable[[pathlib.Path, pathlib.Path | None, str], Annotations]

READERS: dict[str, Reader] = {
    "coco": lambda path, images, split: read_coco(path, images),
    "cvat": lambda path, images, split: read_cvat(path, images),
    "label_studio": lambda path, images, split: read_label_studio(path, images),
    "labelme": lambda path, images, split: read_labelme(path, images),
    "supervisely": lambda path, images, split: read_supervisely(path, images),
    "voc": read_voc,
}
"""By format: what reads annotations, given their path, a folder of images and the
split that is wanted."""
