"""A folder of the user's own: its class file, its layouts and its masks."""

from lgcnet_tf.data.folder.classes import write_classes
from lgcnet_tf.data.folder.dataset import FolderDataset
from lgcnet_tf.data.registry import register_dataset

FOLDER = "folder"

register_dataset(FOLDER, FolderDataset)
