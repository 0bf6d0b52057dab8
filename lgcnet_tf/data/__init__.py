"""Data sets, their samples and the training pipeline.

Importing this package imports neither TensorFlow nor TFDS.
"""

from lgcnet_tf.data.groups import divide, groups_of
from lgcnet_tf.data.info import DATASETS, DatasetInfo, dataset_info
from lgcnet_tf.data.inputs import split_inputs
from lgcnet_tf.data.load import load_samples
from lgcnet_tf.data.pipeline import (
    steps_per_epoch,
    training_batches,
    training_dataset,
)
from lgcnet_tf.data.samples import Sample, Samples

__all__ = [
    "DATASETS",
    "DatasetInfo",
    "Sample",
    "Samples",
    "dataset_info",
    "divide",
    "groups_of",
    "load_samples",
    "split_inputs",
    "steps_per_epoch",
    "training_batches",
    "training_dataset",
]
