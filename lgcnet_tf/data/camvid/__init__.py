"""CamVid: its classes, its folder reader and its TFDS builder."""

from lgcnet_tf.data.camvid.classes import INFO
from lgcnet_tf.data.camvid.folder import CamvidFolder
from lgcnet_tf.data.registry import register_dataset

register_dataset("camvid", CamvidFolder, INFO)
