"""What a command is not told and a latency table, a model or their run says.

Data set, size and search space of a command are those of the table or model that it is
given, unless its flags say otherwise; how data were divided, and where they lie, stands
in the flags of the run that left the table or model. Nothing heavy is imported here.
"""

import dataclasses
import json
import math
import pathlib
import sys
import zipfile
from collections.abc import Sequence
from typing import Any, TypeVar

from lgcnet_tf.config import Options, Size
from lgcnet_tf.data.folder import FOLDER
from lgcnet_tf.data.registry import dataset_info, dataset_names
from lgcnet_tf.errors import InputError, did_you_mean
from lgcnet_tf.files import read_json
from lgcnet_tf.latency.table import LatencyTable
from lgcnet_tf.run_folder import BEST_MODEL, FLAGS, GENOTYPE, MODEL
from lgcnet_tf.space.genotype import Genotype
from lgcnet_tf.space.options import SpaceOptions
from lgcnet_tf.space.skeleton import CANDIDATES, Skeleton
from lgcnet_tf.space.trained_on import TRAINED_ON
from lgcnet_tf.sweep.trial import read_flags

CLASS_FILES = ("classes.json", "classes.txt")
TOY = "toy_streets"
TOY_SIZE = (96, 160)

STEP = 16
MOST_CROP_PIXELS = 360 * 480

ZOO = pathlib.Path(__file__).parents[1] / "zoo"
MODEL_FILES = (".json", ".keras", ".onnx", ".tflite", ".xml")
_CARD = pathlib.PurePath("assets.extra", "lgcnet.json")

AnyOptions = TypeVar("AnyOptions", bound=Options)


def of_table(options: AnyOptions) -> AnyOptions:
    """Options of a search with the data set, size and space of its latency table.

    Raises:
        InputError: there is no such table, or neither it nor the flags say which data.
    """
    if not options.latency_table:  # the command says that it is missing
        return options
    table = LatencyTable.load(options.latency_table)
    found = _data_of_run(options, pathlib.Path(options.latency_table).parent)
    if not found:
        name = table.classes.name if table.classes else ""
        classes = table.skeleton.num_classes
        found = _data_named(options, name, options.latency_table, classes)
    return _with_crop(of_given_table(_filled(options, found)))


def of_genotype(options: AnyOptions) -> AnyOptions:
    """Options of a training with the data set and size of its genotype.

    Raises:
        InputError: neither the genotype nor the flags say which data, or which size.
    """
    if not options.model:  # the command says that it is missing
        return options
    check_model(options.model)
    genotype = read_genotype(options.model)
    found = _data_of_run(options, _run_of(options.model))
    if not found:
        found = _data_named(
            options, dataset_of(genotype), options.model, _classes_of(genotype)
        )
    size = _size_of(options.model, genotype)
    if not size and (options.dataset or found.get("dataset")) == TOY:
        size = TOY_SIZE
    if not size and options.input_size is None:
        raise InputError(
            f"--input_size is missing: {options.model} does not say which; give one, "
            "HxW, such as 360x480."
        )
    if size:
        found["input_size"] = tuple(size)
    return _with_crop(_filled(options, found))


def of_model(options: AnyOptions) -> AnyOptions:
    """Options of an evaluation with the data set that its model was trained on.

    Raises:
        InputError: neither the model nor the flags say which data.
    """
    if not options.model:
        return options
    check_model(options.model)
    found = _data_of_run(options, _run_of(options.model))
    if found:
        return _filled(options, found)
    if options.dataset:
        return options
    genotype = read_genotype(options.model)
    name, classes = dataset_of(genotype), _classes_of(genotype)
    if not name and (card := _card_of(pathlib.Path(options.model))) is not None:
        name = read_json(card).get("dataset", "")
    return _filled(options, _data_named(options, name, options.model, classes))


def of_data(options: AnyOptions) -> AnyOptions:
    """Options of a measurement, which is given data at most: else the toy data.

    For options whose `problems` refuse other data without a size.
    """
    data = {"dataset": FOLDER if options.data_dir else TOY, "input_size": TOY_SIZE}
    return _filled(options, data | space_of(Skeleton))


def of_given_table(options: AnyOptions) -> AnyOptions:
    """Options with the size and the search space of their latency table, not its data.

    Raises:
        InputError: there is no such table.
    """
    table = LatencyTable.load(options.latency_table)
    found = {"input_size": tuple(table.input_size)} | space_of(table.skeleton)
    return _filled(options, found)


def with_space(options: AnyOptions) -> AnyOptions:
    """Options with the paper's search space where they say nothing of it."""
    return _filled(options, space_of(Skeleton))


def space_of(skeleton: Skeleton | type[Skeleton]) -> dict[str, Any]:
    """The options that describe a search space; of the class, the paper's.

    Candidates of the edges are named where they are others than the paper's.
    """
    own = vars(SpaceOptions).get("__annotations__", {})
    values = {name: getattr(skeleton, name) for name in own}
    return {n: v for n, v in values.items() if v != CANDIDATES.get(n)}


def size_within(size: Size, most_pixels: int) -> Size:
    """A size in multiples of `STEP`, at least two of them, of at most so many pixels.

    Args:
        size: (height, width), whose proportions are kept as far as the steps allow.
    """
    scale = min(1.0, math.sqrt(most_pixels / (size[0] * size[1])))
    height, width = (max(2, int(side * scale) // STEP) * STEP for side in size)
    return height, width


def check_model(model: str) -> None:
    """Refuses what is no model by its name alone.

    Raises:
        InputError: it is none of the zoo, and no file or folder that could be one.
    """
    zoo, path = zoo_names(), pathlib.Path(model)
    inside = [name for name in (BEST_MODEL, MODEL, GENOTYPE) if (path / name).is_file()]
    if model not in zoo and inside:
        raise InputError(
            f"--model={model}: the folder of a run; name a file in it: "
            f"{' or '.join(str(path / name) for name in inside)}."
        )
    if model in zoo or path.is_dir() or (path.is_file() and path.suffix in MODEL_FILES):
        return
    raise InputError(
        f"--model={model}: no such model.{did_you_mean(model, zoo)} Give the path of "
        f"one, or a name of the zoo: {', '.join(zoo)}."
    )


def zoo_names() -> list[str]:
    """The networks that come with the package; TensorFlow is not imported for it."""
    return sorted(path.parent.name for path in ZOO.glob("*/model.keras"))


def read_genotype(model: str) -> Genotype | None:
    """What a model says of its architecture and its training; None if it says nothing.

    Args:
        model: a name of the zoo, a genotype, a `.keras` file, a folder of SavedModels
            or a file with its card beside it. Whether it can be used as a model is not
            asked.

    Raises:
        InputError: its genotype is malformed.
    """
    path = pathlib.Path(model)
    if (ZOO / model / GENOTYPE).is_file():
        return Genotype.load(ZOO / model / GENOTYPE)
    if path.suffix == ".json" and path.is_file():
        return Genotype.load(path)
    config = None
    if path.suffix == ".keras" and path.is_file():
        config = _config_of_archive(path).get("genotype")
    elif (card := _card_of(path)) is not None:
        config = read_json(card).get("metadata", {}).get("genotype")
    return Genotype.from_dict(config) if config else None


def _size_of(model: str, genotype: Genotype | None) -> Sequence[int] | None:
    """The input size of a trained network; of a genotype the one it was searched at."""
    path = pathlib.Path(model)
    if path.suffix == ".keras" and path.is_file():
        if size := _config_of_archive(path).get("input_size"):
            return size
    return genotype and genotype.provenance.get("input_size")


def dataset_of(genotype: Genotype | None) -> str:
    """The data set that a network was last trained on, or searched on; empty if unknown."""
    if genotype is None:
        return ""
    trainings = genotype.provenance.get(TRAINED_ON) or [{}]
    named = trainings[-1].get("dataset") or genotype.provenance.get("dataset", "")
    return named or (genotype.classes.name if genotype.classes else "")


def _config_of_archive(path: pathlib.Path) -> dict[str, Any]:
    """`get_config` of a network in a `.keras` file; empty where it cannot be read."""
    try:
        with zipfile.ZipFile(path) as archive:
            return json.loads(archive.read("config.json"))["config"]
    except (OSError, KeyError, TypeError, ValueError, zipfile.BadZipFile):
        return {}


def _card_of(path: pathlib.Path) -> pathlib.Path | None:
    """The card that an export wrote with a SavedModel or beside a file.

    An earlier release called that of `model.onnx` `model.json`.
    """
    if not path.is_dir():
        cards = (pathlib.Path(f"{path}.json"), path.with_suffix(".json"))
        return next((c for c in cards if path.suffix and c.is_file()), None)
    numbered = [p for p in path.iterdir() if p.name.isdecimal()]
    newest_first = sorted(numbered, key=lambda p: int(p.name), reverse=True)
    cards = (folder / _CARD for folder in (path, *newest_first))
    return next((card for card in cards if card.is_file()), None)


def _run_of(model: str) -> pathlib.Path | None:
    """The run folder that a model's file lies in; None for others."""
    path = pathlib.Path(model)
    return path.parent if path.is_file() else None


def _data_of_run(options, folder: pathlib.Path | None) -> dict[str, Any]:
    """The data that a run had, as options; empty where the flags name other data.

    The run's folder of data must be there, from where this command is given.
    """
    if options.dataset or options.data_dir or folder is None:
        return {}
    if not (folder / FLAGS).is_file():
        return {}
    flags = read_flags(folder / FLAGS)
    data_dir = flags.get("data_dir", "")
    if not flags.get("dataset") or (data_dir and not pathlib.Path(data_dir).is_dir()):
        return {}
    names = {"dataset": str, "data_dir": str}
    if hasattr(options, "val_share") and options.val_share == 0:
        names |= {"val_share": float, "split_seed": int, "group_by": str}
    return {name: kind(flags[name]) for name, kind in names.items() if flags.get(name)}


def _classes_of(genotype: Genotype | None) -> int | None:
    return genotype and genotype.skeleton.num_classes


def _data_named(
    options, name: str, source: str, num_classes: int | None
) -> dict[str, Any]:
    """The data set of a name that a table or model bears, as options.

    One that bears none and has as many classes as the toy data is taken for theirs, and
    a line says so.

    Raises:
        InputError: it bears none, or that of a folder that is not given.
    """
    if options.dataset:
        return {}
    if options.data_dir and _is_folder_of_classes(options.data_dir):
        return {"dataset": FOLDER}
    if name in dataset_names() and name != FOLDER:
        return {"dataset": name}
    if options.data_dir:
        return {"dataset": FOLDER}
    if name:
        raise InputError(
            f"--data_dir is missing: {source} is of the data set {name}, a folder of "
            "your own; name it, or another --dataset."
        )
    if num_classes == dataset_info(TOY).num_classes:
        print(
            f"{source} does not say which data it is of: {TOY} is taken, which has "
            f"{num_classes} classes too; --dataset names others.",
            file=sys.stderr,
            flush=True,
        )
        return {"dataset": TOY}
    raise InputError(
        f"--dataset is missing: {source} does not say which data it is of. Available: "
        f"{', '.join(dataset_names())}."
    )


def _is_folder_of_classes(data_dir: str) -> bool:
    return any((pathlib.Path(data_dir) / name).is_file() for name in CLASS_FILES)


def _filled(options: AnyOptions, found: dict[str, Any]) -> AnyOptions:
    """Options with what was found, where they have such and say nothing."""
    fields = {field.name: field.default for field in dataclasses.fields(options)}
    new = {
        name: value
        for name, value in found.items()
        if name in fields and getattr(options, name) == fields[name]
    }
    return dataclasses.replace(options, **new)


def _with_crop(options: AnyOptions) -> AnyOptions:
    """Crops of the input's size, made smaller to `MOST_CROP_PIXELS`."""
    if options.crop_size is not None or options.input_size is None:
        return options
    crop = options.input_size
    if crop[0] * crop[1] > MOST_CROP_PIXELS:
        crop = size_within(crop, MOST_CROP_PIXELS)
    return dataclasses.replace(options, crop_size=crop)
