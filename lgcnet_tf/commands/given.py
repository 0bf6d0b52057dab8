"""What is wrong with the files and names that a command is given, told at once.

The commands look at them again, when TensorFlow has been imported, which takes seconds.
"""

import pathlib

from lgcnet_tf.commands.defaults import ZOO, check_model, zoo_names
from lgcnet_tf.config import Options, SourceOptions
from lgcnet_tf.data.registry import dataset_names
from lgcnet_tf.errors import InputError, did_you_mean

_FILES = {
    "latency_table": "make one with lgcnet-measure-latency.",
    "calibration_images": "give a folder of PNG or JPEG pictures.",
    "initial_model": "give a run's folder, a .keras file or a name of the model zoo.",
    "teacher": "give a .keras or ONNX file, or a name of the model zoo.",
}
"""Flags that name files, and what to do where there is none."""


def check_given(options: Options) -> None:
    """Refuses names and paths that are not there; nothing heavy is imported.

    Raises:
        InputError: a line for each of them.
    """
    if wrong := [*_wrong_data(options), *_wrong_models(options)]:
        raise InputError("\n".join(wrong))


def _wrong_data(options):
    if isinstance(options, SourceOptions) and (name := options.dataset):
        if name not in (names := dataset_names()):
            yield (
                f"--dataset={name}: unknown.{did_you_mean(name, names)} Available: "
                f"{', '.join(names)}."
            )
    data_dir = getattr(options, "data_dir", "")
    if data_dir and "://" not in data_dir and not pathlib.Path(data_dir).is_dir():
        yield f"--data_dir={data_dir}: no such folder{_looked_for(data_dir)}."


def _wrong_models(options):
    models = getattr(options, "model", "")
    known = not models or pathlib.Path(models).exists()
    for name in [] if known else [part.strip() for part in models.split(",")]:
        try:
            check_model(name)
        except InputError as error:
            yield str(error)
    for flag, right in _FILES.items():
        value = getattr(options, flag, "")
        for path in value if isinstance(value, tuple) else filter(None, (value,)):
            if (ZOO / path).exists() or pathlib.Path(path).exists():
                continue
            meant = did_you_mean(path, zoo_names()) if "zoo" in right else ""
            absent = f"no such file{_looked_for(path)}{meant and f'.{meant}'}"
            yield f"--{flag}={path}: {absent}{'' if meant else ';'} {right}"


def _looked_for(path: str) -> str:
    """Where a relative path was looked for."""
    if pathlib.Path(path).is_absolute():
        return ""
    return f" (looked for {pathlib.Path(path).absolute()})"
