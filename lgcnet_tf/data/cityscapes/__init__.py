"""Cityscapes: its classes and its archives, through TFDS' own builder."""

from lgcnet_tf.data.cityscapes.archives import LABEL_IDS, archives_of, train_ids
from lgcnet_tf.data.cityscapes.classes import INFO
from lgcnet_tf.data.cityscapes.dataset import Cityscapes
from lgcnet_tf.data.registry import register_dataset

register_dataset("cityscapes", Cityscapes, INFO)
