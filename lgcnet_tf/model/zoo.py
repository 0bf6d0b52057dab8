"""Models by name or by file: the zoo, genotypes, saved networks."""

import os
import pathlib

import keras

from lgcnet_tf.errors import InputError, did_you_mean
from lgcnet_tf.model.cards import Card
from lgcnet_tf.model.classifier import ImageClassifier
from lgcnet_tf.model.network import Network
from lgcnet_tf.model.sizes import at_size
from lgcnet_tf.space.genotype import Genotype
from lgcnet_tf.space.skeleton import Size

ZOO = pathlib.Path(__file__).parents[1] / "zoo"
"""A folder for each model: `genotype.json`, `model.keras`, `card.json`."""


def zoo_names() -> tuple[str, ...]:
    """Names of the models that come with the package."""
    return tuple(sorted(path.parent.name for path in ZOO.glob("*/model.keras")))


def load_card(name: str) -> Card:
    """The card of a model of the zoo.

    Raises:
        InputError: there is no such model, or its card is malformed.
    """
    if name not in zoo_names():
        raise InputError(
            f"{name}: not in the zoo.{did_you_mean(name, zoo_names())} There are "
            f"{', '.join(zoo_names()) or 'none'}."
        )
    return Card.load(ZOO / name / "card.json")


def load_network(model: str | os.PathLike, input_size: Size | None = None) -> Network:
    """Loads a network with its weights, from a genotype with random ones.

    Args:
        model: a name of the zoo, or the path of a `.keras` file or a genotype.
        input_size: (height, width) to build it for; by default the one it was
            saved at or, for a genotype, searched at.

    Raises:
        InputError: there is no such model, or the file is damaged.
    """
    path = model_path(model)
    if path.suffix == ".json":
        genotype = Genotype.load(path)
        size = input_size or genotype.provenance.get("input_size")
        if not size:
            raise InputError(f"{path}: give --input_size; the genotype names none.")
        return Network.derived(genotype, tuple(size))
    network = _load_saved(path)
    if isinstance(network, ImageClassifier):
        raise InputError(
            f"{path}: it classifies whole images; give it as --initial_model of "
            "lgcnet-finetune."
        )
    return _at(network, input_size)


def load_trained(model: str | os.PathLike, input_size: Size | None = None) -> Network:
    """Loads what has trained weights: a network, or a pretrained `ImageClassifier`.

    Args:
        model: a name of the zoo, or the path of a `.keras` file.
        input_size: as for `load_network`.

    Raises:
        InputError: there is no such model, the file is damaged, or it is a
            genotype, which has no weights.
    """
    path = model_path(model, "model.keras")
    if path.suffix == ".json":
        raise InputError(f"{path}: a genotype has no weights; give a .keras file.")
    return _at(_load_saved(path), input_size)


def _at(network, input_size):
    if input_size and tuple(input_size) != network.input_size:
        return at_size(network, input_size)
    return network


def _load_saved(path):
    try:
        network = keras.saving.load_model(path, compile=False)
    except InputError:
        raise
    except Exception as error:  # Keras raises what zip, JSON or HDF5 raise
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        if reason.startswith("File not found"):  # so Keras says of what is no zip
            reason = "damaged or of another kind."
        raise InputError(f"{path}: not a saved network: {reason}") from None
    if not isinstance(network, Network) or network.genotype is None:
        raise InputError(f"{path}: not a network derived by lgcnet-finetune.")
    return network


def load_genotype(model: str | os.PathLike) -> Genotype:
    """The genotype of a model of the zoo, of a `.keras` file, or in a file.

    Raises:
        InputError: there is no such model, or the file is damaged.
    """
    path = model_path(model, "genotype.json")
    return (
        Genotype.load(path) if path.suffix == ".json" else load_network(path).genotype
    )


def has_weights(model: str | os.PathLike) -> bool:
    """Whether a model is more than a genotype, whose network has random weights."""
    return pathlib.Path(model).suffix != ".json"


def model_path(model: str | os.PathLike, file: str = "model.keras") -> pathlib.Path:
    """The file that a model is read from.

    Args:
        model: as for `load_network`.
        file: which one of the zoo's, where it is a name.

    Raises:
        InputError: there is no such model.
    """
    if not str(model):
        raise InputError(
            "--model is missing: a genotype, a .keras file, or one of "
            f"{', '.join(zoo_names()) or 'no models in the zoo yet'}."
        )
    if str(model) in zoo_names():
        return ZOO / str(model) / file
    path = pathlib.Path(model)
    if path.suffix not in (".json", ".keras") or not path.is_file():
        raise InputError(
            f"{model}: no such model.{did_you_mean(str(model), zoo_names())} Give a "
            "genotype (.json), a .keras file or one of the zoo: "
            f"{', '.join(zoo_names()) or '(empty)'}."
        )
    return path
