"""From a data folder to a network that is ready to serve, in one command.

Each stage is the command of that name as a process of its own, in a sub-folder.
"""

import dataclasses
import pathlib
import sys
from collections.abc import Iterator
from typing import Any

from lgcnet_tf.commands.choose import ChooseOptions
from lgcnet_tf.commands.defaults import (
    MOST_CROP_PIXELS,
    STEP,
    of_given_table,
    with_space,
)
from lgcnet_tf.commands.finetune import FinetuneOptions
from lgcnet_tf.commands.measure_latency import MeasureOptions
from lgcnet_tf.commands.run_plan import MOST_INPUT_PIXELS, look_at, plan
from lgcnet_tf.commands.run_report import conclusion, results_of_stages, write_report
from lgcnet_tf.commands.run_stages import COMMANDS, SEARCH, stages_of, with_target
from lgcnet_tf.commands.search import SearchOptions
from lgcnet_tf.commands.stage import run_stage
from lgcnet_tf.config import DivisionOptions, Size, option
from lgcnet_tf.data import split_inputs
from lgcnet_tf.data.division import TRAIN, VAL
from lgcnet_tf.data.folder import FOLDER
from lgcnet_tf.errors import InputError
from lgcnet_tf.files import read_json
from lgcnet_tf.latency.options import RuntimeOptions
from lgcnet_tf.run_folder import (
    FLAGS,
    RESULTS,
    RunFolder,
    flag_lines,
    input_file,
)
from lgcnet_tf.runtimes.settings import keras_backend
from lgcnet_tf.serving.settings import FORMATS
from lgcnet_tf.space.options import SpaceOptions

MANY = 2000
"""Images that take so long to read that it is said."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunPathOptions(SpaceOptions, DivisionOptions, RuntimeOptions):
    """Options of the whole path."""

    TOPIC = "Training"

    dataset: str = option(
        FOLDER,
        "Data set: folder for your own, that of --data_dir; or another's name, such as "
        "toy_streets.",
        topic="Data",
    )
    input_size: Size | None = option(
        None,
        "Size of the network's input, HxW; by default the most frequent size of the "
        f"training images, made smaller with its proportions kept to {MOST_INPUT_PIXELS} "
        f"pixels, in multiples of {STEP}.",
        topic="Data",
    )
    target_latency_ms: float = option(
        0.0,
        "Predicted latency of the network to be found, on this device; 0 for the middle "
        "of what the space has by the latency table.",
        minimum=0,
        topic="Latency",
    )
    repeats: int = option(
        MeasureOptions.repeats,
        "Samples of each measurement.",
        minimum=1,
        topic="Latency",
    )
    calibration_networks: int = option(
        MeasureOptions.calibration_networks,
        "Whole networks that correct the table; 0 for none.",
        minimum=0,
        topic="Latency",
    )
    search_epochs: int = option(
        SearchOptions.epochs, "Epochs of the search.", minimum=1
    )
    candidates: int = option(
        0,
        "Networks of the search that are trained for a few epochs, for the best to be "
        "trained on (lgcnet-choose); 0 for the search's own at once.",
        minimum=0,
    )
    candidate_epochs: int = option(
        ChooseOptions.epochs, "Epochs of each of them.", minimum=1
    )
    finetune_epochs: int = option(
        FinetuneOptions.epochs, "Epochs of the training.", minimum=1
    )
    crop_size: Size | None = option(
        None,
        "Size of the training crops, HxW; by default --input_size, made smaller to "
        f"{MOST_CROP_PIXELS} pixels.",
    )
    batch_size: int = option(
        FinetuneOptions.batch_size, "Of search and training.", minimum=1
    )
    latency_table: str = option(
        "",
        "A latency table of the device that will run the network, made there by "
        "lgcnet-measure-latency; none is measured here then, and size and search space "
        "are its own.",
        topic="Latency",
    )
    formats: tuple[str, ...] = option(
        (),
        f"Files for other runtimes besides the SavedModel: {', '.join(FORMATS)}, with "
        "commas between.",
        topic="Results",
    )
    seed: int = option(0, "Seed of search and training.", minimum=0)
    mixed_precision: bool = option(False, "Compute in bfloat16; weights stay float32.")

    def problems(self) -> Iterator[str]:
        yield from super().problems()
        for name in self.formats:
            if name not in FORMATS:
                yield (f"--formats must be of {', '.join(FORMATS)}. Received: {name!r}")
        if self.candidates == 1:
            yield "--candidates must be 0 or at least 2. Received: 1"
        if not self.candidates and self.candidate_epochs != ChooseOptions.epochs:
            yield f"--candidate_epochs={self.candidate_epochs} goes with --candidates."

    def missing(self) -> Iterator[str]:
        yield from super().missing()
        if self.dataset == FOLDER and not self.data_dir:
            yield "--data_dir is missing: name the folder of your data, or a --dataset."


def run_path(options: RunPathOptions) -> dict[str, Any]:
    """Measures, searches, trains, evaluates and exports; what is done is not repeated.

    The last line on standard output names what came out, also where all was done
    before.

    Returns:
        What `results.json` holds.

    Raises:
        InputError: bad options or data, a target out of reach, or a stage that failed
            and has said why.
        Interrupted: a signal came; the stage at work has saved and ended.
    """
    options.check()
    if missing := list(options.missing()):
        raise InputError("\n".join(missing))
    if keras_backend() != "tensorflow":
        raise InputError("The export at its end needs KERAS_BACKEND=tensorflow.")
    options = of_given_table(options) if options.latency_table else options
    options = with_space(options)
    root = pathlib.Path(options.output_dir)
    if (results := _results_of(options, root)) is not None:
        print(conclusion(root, results), flush=True)
        return results
    data, size, sizes, crop = look_at(options)
    stages = stages_of(options, root, size, crop)
    for stage in stages.values():
        stage.check()
    options.skeleton(data.info.num_classes)  # what is wrong with it leaves no folder
    for split in (TRAIN, VAL):  # nor does a file that a late stage would stumble over
        samples = data.load(split)
        if len(samples) > MANY:
            print(f"reading {len(samples):,} images of {split} once", file=sys.stderr)
        samples.check()
    inputs: dict[str, dict[str, str]] = {}
    for split in (TRAIN, VAL):
        inputs |= split_inputs(
            options.dataset, split, options.data_dir or None, **options.division
        )
    inputs |= input_file("--latency_table", options.latency_table)
    folder = RunFolder(options, "run", inputs=inputs | options.calibration_inputs())
    for line in plan(options, data, size, crop, sizes, list(stages)):
        folder.log.info("%s", line)
    for name, stage in stages.items():
        if (root / name / RESULTS).exists():
            folder.log.info("%s: done before", name)
            continue
        if name == SEARCH:
            stage = with_target(stage, data.info.num_classes, folder)
        run_stage(name, COMMANDS[name.partition("_")[0]], stage, folder)
    report = write_report(root)
    results = results_of_stages(root) | {"report": report.relative_to(root).as_posix()}
    folder.finish(results, report)
    print(conclusion(root, results), flush=True)
    return results


def _results_of(options: RunPathOptions, root: pathlib.Path) -> dict[str, Any] | None:
    """The results of a run with just these flags that has finished."""
    if not (root / RESULTS).is_file() or not (root / FLAGS).is_file():
        return None
    lines = (root / FLAGS).read_text().splitlines()
    given = [line for line in lines if line.startswith("--")]
    return read_json(root / RESULTS) if given == flag_lines(options) else None
