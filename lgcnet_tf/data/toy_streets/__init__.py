"""Procedurally drawn streets: their classes, their reader and their TFDS builder."""

from lgcnet_tf.data.registry import register_dataset
from lgcnet_tf.data.toy_streets.classes import INFO
from lgcnet_tf.data.toy_streets.streets import ToyStreets

register_dataset("toy_streets", lambda data_dir: ToyStreets(), INFO)
