"""A model to evaluate or time, whatever file it comes from."""

import dataclasses
import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np

from lgcnet_tf.errors import InputError
from lgcnet_tf.evaluation.evaluate import PredictMask, mask_function
from lgcnet_tf.evaluation.macs import count_macs
from lgcnet_tf.files import read_json
from lgcnet_tf.latency.runtimes import Runtime
from lgcnet_tf.model.deploy import deploy
from lgcnet_tf.model.network import ClassMap
from lgcnet_tf.model.zoo import load_network
from lgcnet_tf.space.genotype import Genotype
from lgcnet_tf.space.skeleton import Size


@dataclasses.dataclass(frozen=True)
class LoadedModel:
    """What evaluation and timing need of a model.

    Attributes:
        name: as the user gave it.
        input_size: (height, width) of its images.
        num_classes: classes it tells apart, None where a SavedModel does not say.
        predict_mask: uint8 images (batch, height, width, 3) to uint8 masks.
        compile: for a runtime, a function that segments one image and waits.
        genotype, params, macs: None where a SavedModel does not say.
    """

    name: str
    input_size: Size
    num_classes: int | None
    predict_mask: PredictMask
    compile: Callable[[Runtime], Callable[[], Any]]
    genotype: Genotype | None
    params: int | None
    macs: int | None


def load_model(model: str, input_size: Size | None = None) -> LoadedModel:
    """Loads a zoo name, a genotype, a `.keras` file or a SavedModel.

    A network is evaluated and timed as deployed: pruned and folded. Parameters
    are counted as trained.

    Args:
        input_size: (height, width); by default the model's own.

    Raises:
        InputError: there is no such model, or it is of another size.
    """
    folder = _saved_model_folder(model)
    if folder:
        return _load_saved_model(model, folder, input_size)
    network = load_network(model, input_size)
    deployed = deploy(network)

    def compile(runtime):
        shape = (1, *deployed.input_size, 3)
        return runtime.compile(ClassMap(deployed), shape, "uint8")

    return LoadedModel(
        name=model,
        input_size=deployed.input_size,
        num_classes=deployed.num_classes,
        predict_mask=mask_function(deployed),
        compile=compile,
        genotype=deployed.genotype,
        params=network.count_params(),
        macs=count_macs(deployed),
    )


def _saved_model_folder(model) -> pathlib.Path | None:
    path = pathlib.Path(model)
    if not model or not path.is_dir():
        return None
    numbered = [p for p in path.iterdir() if p.name.isdecimal()]
    for folder in (path, *sorted(numbered, key=lambda p: int(p.name), reverse=True)):
        if (folder / "saved_model.pb").is_file():
            return folder
    raise InputError(f"{model}: a folder without a SavedModel.")


def _load_saved_model(model, folder, input_size) -> LoadedModel:
    import tensorflow as tf

    try:
        loaded = tf.saved_model.load(str(folder))
        segment = loaded.signatures["serving_default"]
        (spec,) = segment.structured_input_signature[1].values()
        outputs = segment.structured_outputs
    except (OSError, KeyError, ValueError, tf.errors.OpError) as error:
        raise InputError(f"{folder}: cannot load: {str(error).splitlines()[0]}") from None
    if spec.dtype != tf.uint8 or spec.shape.rank != 4 or "mask" not in outputs:
        raise InputError(f"{folder}: not a SavedModel made by lgcnet-export.")
    size = tuple(spec.shape[1:3])
    if input_size and tuple(input_size) != size:
        raise InputError(
            f"{folder}: takes images of {size[0]}x{size[1]}; a SavedModel cannot be "
            f"evaluated at {input_size[0]}x{input_size[1]}."
        )
    card = folder / "assets.extra" / "lgcnet.json"
    card = read_json(card) if card.exists() else {}
    metadata, classes = card.get("metadata", {}), card.get("class_names")

    class Predict:
        input_size = size
        keep = loaded  # the loaded object owns the variables

        def __call__(self, images):
            return segment(**{spec.name: tf.constant(images, tf.uint8)})["mask"].numpy()

    def compile(runtime):
        if runtime.name != "tensorflow_graph":
            raise InputError(
                f"{folder}: a SavedModel runs on --runtime=tensorflow_graph only."
            )
        image = np.random.default_rng(0).integers(0, 256, (1, *size, 3), "uint8")
        predict, image = Predict(), tf.constant(image)
        return lambda: predict(image)

    genotype = metadata.get("genotype")
    return LoadedModel(
        name=model,
        input_size=size,
        num_classes=classes and len(classes),
        predict_mask=Predict(),
        compile=compile,
        genotype=genotype and Genotype.from_dict(genotype),
        params=metadata.get("params"),
        macs=metadata.get("macs"),
    )
