"""Data sets, their samples and the training pipeline.

Importing this package imports neither TensorFlow nor TFDS.
"""

# Each registers itself.
from lgcnet_tf.data import camvid, cityscapes, folder, toy_streets
from lgcnet_tf.data.dataset import Dataset
from lgcnet_tf.data.groups import divide, groups_of
from lgcnet_tf.data.info import DatasetInfo
from lgcnet_tf.data.inputs import split_inputs
from lgcnet_tf.data.load import load_samples
from lgcnet_tf.data.pipeline import (
    steps_per_epoch,
    training_batches,
    training_dataset,
)
from lgcnet_tf.data.registry import (
    dataset_info,
    dataset_names,
    open_dataset,
    register_dataset,
)
from lgcnet_tf.data.samples import Sample, Samples

__all__ = [
    "Dataset",
    "DatasetInfo",
    "Sample",
    "Samples",
    "dataset_info",
    "dataset_names",
    "divide",
    "groups_of",
    "load_samples",
    "open_dataset",
    "register_dataset",
    "split_inputs",
    "steps_per_epoch",
    "training_batches",
    "training_dataset",
]
