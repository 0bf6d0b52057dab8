"""What a whole `lgcnet run` will take, said before it begins: data, stages, time, memory."""

import collections
import pathlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from lgcnet_tf.commands.defaults import (
    MOST_CROP_PIXELS,
    of_given_table,
    size_within,
    with_space,
)
from lgcnet_tf.commands.run_estimate import (
    CLOSING_S,
    has_gpu,
    matrix_speed,
    measuring_s,
    search_memory,
    training_s,
)
from lgcnet_tf.commands.run_stages import (
    CHOOSE,
    FINETUNE,
    LATENCY,
    SEARCH,
    stages_of,
)
from lgcnet_tf.config import Size, format_size
from lgcnet_tf.data import Dataset, steps_per_epoch
from lgcnet_tf.data.division import TRAIN, VAL
from lgcnet_tf.data.load import open_divided
from lgcnet_tf.errors import InputError
from lgcnet_tf.run_folder import RESULTS
from lgcnet_tf.terminal import duration_text

if TYPE_CHECKING:
    from lgcnet_tf.commands.run import RunPathOptions

MOST_INPUT_PIXELS = 512 * 1024
LOOKED_AT = 64
"""Images whose sizes are looked at for the default of the input size."""


def plan_lines(options: "RunPathOptions") -> Iterator[str]:
    """What a run would take, a line for each part of it; nothing is written.

    Raises:
        InputError: as `run_path`, as far as no stage has to begin for it.
    """
    options = of_given_table(options) if options.latency_table else options
    options = with_space(options)
    root = pathlib.Path(options.output_dir)
    data, size, sizes, crop = look_at(options)
    stages = stages_of(options, root, size, crop)
    for stage in stages.values():
        stage.check()
    yield from plan(options, data, size, crop, sizes, list(stages))
    done = [name for name in stages if (root / name / RESULTS).exists()]
    if done:
        yield f"done before: {', '.join(done)}"
    peak = search_memory(
        options.batch_size, crop, options.skeleton(data.info.num_classes)
    )
    yield (
        f"memory: about {peak / 1e9:.1f} GB in the search, which takes the most; by "
        "figures of another machine, lgcnet-search --dry_run measures it"
    )


def look_at(
    options: "RunPathOptions",
) -> tuple[Dataset, Size, collections.Counter[Size], Size]:
    """The data, the network's size with those of images looked at, the crops' size.

    Raises:
        InputError: bad data, or a split is missing.
    """
    data = open_divided(options.dataset, options.data_dir or None, **options.division)
    if wanting := [split for split in (TRAIN, VAL) if split not in data.splits]:
        raise InputError(
            f"{data.info.name} has no split {wanting[0]}"
            + (
                ": --val_share=0.2 makes one of the training images, --group_by keeps "
                "the frames of a video on one side."
                if wanting == [VAL]
                else f". Available: {', '.join(data.splits)}."
            )
        )
    size, sizes = options.input_size, collections.Counter[Size]()
    if size is None:
        sizes = sizes_of(data)
        size = size_within(sizes.most_common(1)[0][0], MOST_INPUT_PIXELS)
    return data, size, sizes, options.crop_size or size_within(size, MOST_CROP_PIXELS)


def sizes_of(data: Dataset) -> collections.Counter[Size]:
    """How many of `LOOKED_AT` training images, evenly chosen, have each size.

    Raises:
        InputError: no image is there, or one cannot be read.
    """
    entries = data.splits[TRAIN]
    if not entries:
        raise InputError(
            f"{data.info.name} has no training images; put them where docs/data.md says, "
            "or name another --data_dir."
        )
    every = -(-len(entries) // LOOKED_AT)
    return collections.Counter(
        data.read(entry).label.shape for entry in entries[::every]
    )


def plan(
    options: "RunPathOptions",
    data: Dataset,
    size: Size,
    crop: Size,
    sizes: collections.Counter[Size],
    stages: Sequence[str],
) -> Iterator[str]:
    """What the run will take, a line for each part of it.

    Args:
        size, sizes, crop: of `look_at`.
        stages: names of those that the run has.
    """
    info = data.info
    counts = {split: len(data.splits[split]) for split in (TRAIN, VAL)}
    yield (
        f"data: {info.name}, {info.num_classes} classes ({', '.join(info.class_names)}), "
        f"{counts[TRAIN]} images to train on, {counts[VAL]} to validate"
    )
    chosen = "as given"
    if sizes:
        (most, count), looked_at = sizes.most_common(1)[0], sizes.total()
        chosen = (
            f"{count} of {looked_at} training images looked at are {format_size(most)}"
        )
    yield (
        f"input {format_size(size)} ({chosen}), crops {format_size(crop)}, batches of "
        f"{options.batch_size}"
    )
    steps = steps_per_epoch(data.splits[TRAIN], options.batch_size)
    table = f"latency table ({options.runtime}, {options.precision})"
    if options.latency_table:
        table = f"no latency table but {options.latency_table}"
    choosing = ""
    if CHOOSE in stages:
        choosing = (
            f"choose ({options.candidates} networks, each {options.candidate_epochs} "
            "epochs), "
        )
    own = (LATENCY, SEARCH, CHOOSE, FINETUNE)
    yield (
        f"stages, each in a folder of its own below {options.output_dir}: {table}, "
        f"search ({options.search_epochs} epochs of {steps} steps), {choosing}finetune "
        f"({options.finetune_epochs} epochs of {steps} steps), "
        f"{', '.join(name for name in stages if name not in own)}"
    )
    seconds = _seconds(options, data, crop, stages)
    parts = ", ".join(f"{name} {duration_text(part)}" for name, part in seconds.items())
    yield (
        f"time: about {duration_text(sum(seconds.values()))} if all is idle ({parts}; by a "
        "measured product of matrices, right to within a factor of three"
        + ("; the GPU needs a fraction of the trainings' time)" if has_gpu() else ")")
    )


def _seconds(options, data: Dataset, crop, stages) -> dict[str, float]:
    """About how long each stage takes."""
    speed, skeleton = matrix_speed(), options.skeleton(data.info.num_classes)
    per_epoch = options.batch_size * steps_per_epoch(
        data.splits[TRAIN], options.batch_size
    )
    found = {}
    if LATENCY in stages:
        found[LATENCY] = measuring_s(options.calibration_networks)

    def training(kind, epochs):
        return training_s(kind, epochs * per_epoch, crop, skeleton, speed)

    found[SEARCH] = training(SEARCH, options.search_epochs)
    if CHOOSE in stages:
        each = training(FINETUNE, options.candidate_epochs)
        found[CHOOSE] = options.candidates * each
    found[FINETUNE] = training(FINETUNE, options.finetune_epochs)
    return found | {"the rest": CLOSING_S}
