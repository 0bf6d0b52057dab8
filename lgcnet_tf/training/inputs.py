"""What a training reads, so that it goes on only with the same."""

from lgcnet_tf.data import split_inputs
from lgcnet_tf.run_folder import Inputs
from lgcnet_tf.training.options import TrainingOptions


def training_inputs(options: TrainingOptions) -> Inputs:
    """Files and classes of the split to train on and of that for validation.

    Raises:
        InputError: bad data.
    """
    found: dict[str, dict[str, str]] = {}
    for split in filter(None, (options.split, options.validation_split)):
        found |= split_inputs(
            options.dataset, split, options.data_dir or None, **options.division
        )
    return found
