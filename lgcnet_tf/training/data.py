"""What a run trains on, what it is validated on, and the record of it."""

import dataclasses
import pathlib
from collections.abc import Callable
from typing import Any

from lgcnet_tf.data import Samples, divide, load_samples
from lgcnet_tf.errors import InputError
from lgcnet_tf.model.zoo import load_trained
from lgcnet_tf.space.genotype import Genotype
from lgcnet_tf.space.trained_on import SEARCHED_ON, TRAINED_ON, join_records, record
from lgcnet_tf.training.options import TrainingOptions
from lgcnet_tf.training.validation import load_validation

LEFT_OUT_MIOU = "left_out_miou"
VAL_MIOU = "val_miou"


@dataclasses.dataclass(frozen=True)
class TrainingData:
    """The images of a run.

    Attributes:
        samples: what is trained on.
        record: makes what says so in the provenance of what is made of them.
        validation: what is measured on, by the name of the figure: the groups
            left out as `left_out_miou`, the validation split as `val_miou`;
            without what is not wanted, not there or trained on.
        notes: lines for the log on a split that is not measured on.
    """

    samples: Samples
    record: Callable[[], dict[str, Any]]
    validation: dict[str, Samples]
    notes: tuple[str, ...]


def load_training_data(options: TrainingOptions) -> TrainingData:
    """Opens the splits and takes the groups out that are left out.

    Raises:
        InputError: bad data, no such split or group, or nothing to train on.
    """
    everything = load_samples(
        options.dataset, options.split, options.data_dir or None, **options.division
    )
    left_out, samples = divide(
        everything, options.left_out, options.group_by, "--left_out"
    )
    if len(left_out) and not len(samples):
        raise InputError(
            f"--left_out={','.join(options.left_out)} leaves nothing of "
            f"--split={options.split} to train on."
        )
    validation = {LEFT_OUT_MIOU: left_out} if len(left_out) else {}
    notes = ()
    split = options.validation_split
    named = load_validation(options)
    if named is None:
        if split:
            notes = (f"the data have no split '{split}'",)
    elif shared := _shared(named, samples):
        notes = (
            f"split '{split}' gives no {VAL_MIOU}: {shared} of its {len(named)} "
            "images are trained on",
        )
    else:
        validation[VAL_MIOU] = named
    if not validation and notes:
        notes = (f"{notes[0]}: neither validation nor pictures",)
    return TrainingData(samples, lambda: _record(options, samples), validation, notes)


def earlier_training(model: str) -> list[dict[str, Any]]:
    """Records of what the weights that a run starts from were trained on.

    Args:
        model: as in `--initial_model`: a network, the folder of a search, whose
            supernet saw what was searched on, or empty.

    Raises:
        InputError: there is no such model, or it is damaged.
    """
    if not model:
        return []
    folder = pathlib.Path(model)
    if not folder.is_dir():
        try:
            return load_trained(model).genotype.provenance.get(TRAINED_ON, [])
        except InputError as error:
            raise InputError(f"--initial_model: {error}") from None
    if (folder / "model.keras").is_file():
        trained = load_trained(folder / "model.keras")
        return trained.genotype.provenance.get(TRAINED_ON, [])
    if (folder / "genotype.json").is_file():
        return Genotype.load(folder / "genotype.json").provenance.get(SEARCHED_ON, [])
    return []  # a search that has not ended yet


def with_training(genotype: Genotype, *parts: list[dict[str, Any]]) -> Genotype:
    """The genotype of a network that was trained as all these records say."""
    provenance = genotype.provenance | {TRAINED_ON: join_records(*parts)}
    return dataclasses.replace(genotype, provenance=provenance)


def _record(options, samples):
    return record(
        samples.info.name,
        samples.names,
        options.split,
        options.left_out,
        options.group_by or samples.info.group_by,
    )


def _shared(first: Samples, second: Samples) -> int:
    """How many samples are in both; those of different splits never are."""
    if not set(first.split.split(",")) & set(second.split.split(",")):
        return 0
    return len(set(first.names) & set(second.names))
