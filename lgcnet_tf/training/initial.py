"""Weights to start a training from: of a search, a pretraining or another network."""

import dataclasses
import pathlib
import typing

from lgcnet_tf.config import kinds_of
from lgcnet_tf.errors import InputError
from lgcnet_tf.files import write_json
from lgcnet_tf.model.network import Network
from lgcnet_tf.model.weights import TransferReport, transfer_weights
from lgcnet_tf.model.zoo import load_trained, model_path
from lgcnet_tf.run_folder import CHECKPOINTS, FLAGS, MODEL, RunFolder
from lgcnet_tf.space.options import SpaceOptions
from lgcnet_tf.space.skeleton import Size
from lgcnet_tf.training.checkpoint import Checkpoint, checkpoint_paths, load_checkpoint

REPORT = "initial_weights.json"
"""What a run took from where, in its folder."""

_ROOT = "network/"  # of the supernet's variables in a search's checkpoint


def start_from(network: Network, initial_model: str) -> TransferReport:
    """Gives `network` all weights of another that fit.

    Args:
        network: to be trained.
        initial_model: a folder of a search (its newest checkpoint is taken) or of a
            finished pretraining or finetuning, a `.keras` file or a zoo name.

    Raises:
        InputError: there is no such model or folder, nothing can be read in it, or
            none of its weights fit.
    """
    try:
        source = load_initial(initial_model, network.input_size)
        return transfer_weights(source, network, initial_model)
    except InputError as error:
        raise InputError(f"--initial_model: {error}") from None


def report_start(report: TransferReport, initial_model: str, folder: RunFolder) -> None:
    """Logs what was taken and writes `initial_weights.json` where a run begins."""
    if folder.resumed:  # its checkpoints have gone on from there
        return
    folder.log.info("weights of %s: %s", initial_model, report.summary())
    if folder.writes:
        contents = {"initial_model": initial_model, **report.to_dict()}
        write_json(folder / REPORT, contents)


def initial_file(initial_model: str) -> pathlib.Path:
    """The file that `load_initial` reads the weights from.

    Raises:
        InputError: there is none.
    """
    folder = pathlib.Path(initial_model)
    if not folder.is_dir():
        return model_path(initial_model)
    if (folder / MODEL).is_file():
        return folder / MODEL
    return _newest(folder).path


def load_initial(initial_model: str, input_size: Size) -> Network:
    """The network that `start_from` takes its weights from.

    Raises:
        InputError: as there.
    """
    folder = pathlib.Path(initial_model)
    if not folder.is_dir():
        return load_trained(initial_model, input_size)
    if (folder / MODEL).is_file():
        return load_trained(folder / MODEL, input_size)
    flags = folder / FLAGS
    lines = flags.read_text().splitlines() if flags.is_file() else [""]
    if lines[0] != "# lgcnet-search":
        raise InputError(
            f"{folder}: holds neither {MODEL} nor a search; give the folder of a "
            "search, or of a pretraining or finetuning that is finished."
        )
    return _supernet(folder, lines, input_size)


def _supernet(folder, lines, input_size):
    checkpoint = _newest(folder)
    flags = dict(line.removeprefix("--").partition("=")[::2] for line in lines)
    try:
        (classes,) = checkpoint.arrays[f"{_ROOT}classifier/bias"].shape
        skeleton = _space(flags).skeleton(classes)
        sampling = flags.get("sampling", "soft")
        supernet = Network.supernet(skeleton, input_size, sampling=sampling)
        for variable in supernet.variables:
            path = _ROOT + variable.path.partition("/")[2]
            variable.assign(checkpoint.arrays[path])
    except (KeyError, ValueError) as error:
        raise InputError(
            f"{checkpoint.path}: not the supernet of {folder / FLAGS}: {error}"
        ) from None
    return supernet


def _newest(folder) -> Checkpoint:
    if not checkpoint_paths(folder / CHECKPOINTS):
        raise InputError(
            f"{folder}: has no checkpoint of a supernet (a random search trains none)."
        )
    try:
        return load_checkpoint(folder / CHECKPOINTS)
    except InputError:
        raise InputError(
            f"{folder / CHECKPOINTS}: no checkpoint in it can be read."
        ) from None


def _space(flags) -> SpaceOptions:
    """The search space that a search's flags name."""
    read = {}
    for field in dataclasses.fields(SpaceOptions):
        if field.name not in flags or field.name.endswith("_size"):
            continue
        value, kind = flags[field.name], kinds_of(field.type)[0]
        if kind is int:
            read[field.name] = int(value)
        elif typing.get_origin(kind) is tuple:
            part = typing.get_args(kind)[0]
            read[field.name] = tuple(part(text) for text in value.split(",") if text)
        else:
            read[field.name] = value
    return SpaceOptions(**read)
