"""A model to evaluate or time, whatever file it comes from."""

import dataclasses
import pathlib
from collections.abc import Callable
from typing import Any

from lgcnet_tf.convert.packages import import_package
from lgcnet_tf.data import DatasetInfo
from lgcnet_tf.data.geometry import DEFAULT_FIT, check_fit
from lgcnet_tf.errors import InputError
from lgcnet_tf.evaluation.evaluate import PredictMask, mask_function
from lgcnet_tf.evaluation.macs import count_macs
from lgcnet_tf.evaluation.model_files import (
    MaskOfCompiled,
    card_path,
    check_loadable,
    kind_of,
    read_model_file,
    runtime_for,
    saved_model_folder,
)
from lgcnet_tf.files import fingerprint, read_json
from lgcnet_tf.model.class_map import ClassMap
from lgcnet_tf.model.deploy import deploy
from lgcnet_tf.model.zoo import has_weights, load_network, model_path
from lgcnet_tf.run_folder import Inputs
from lgcnet_tf.runtimes.base import Compiled, Runtime
from lgcnet_tf.space.genotype import Genotype
from lgcnet_tf.space.skeleton import Size

AS_MADE = "as the file was made"
"""The precision of others' files, which do not say."""


@dataclasses.dataclass(frozen=True)
class LoadedModel:
    """What evaluation and timing need of a model.

    Attributes:
        name: as the user gave it.
        input_size: (height, width) of its images.
        num_classes: classes it tells apart, None where a file does not say.
        predict_mask: uint8 images (batch, height, width, 3) to uint8 masks.
        prepare: makes of a runtime and a batch size what the runtime loads.
        genotype, params, macs: None where a file does not say.
        trained: False for a genotype's network, whose weights are random.
        files: those the model was read from.
        precision: number format of a file's model, None where the file does not
            say; a network has the runtime's.
        calibration: what a file's `int8` was calibrated by, as far as it says.
        class_names: of its classes; None where a file does not say.
        fit: how pictures of another size are brought to it.
    """

    name: str
    input_size: Size
    num_classes: int | None
    predict_mask: PredictMask
    prepare: Callable[[Runtime, int], "Prepared"]
    genotype: Genotype | None
    params: int | None
    macs: int | None
    trained: bool = True
    files: tuple[pathlib.Path, ...] = ()
    precision: str | None = None
    calibration: str | None = None
    class_names: tuple[str, ...] | None = None
    fit: str = DEFAULT_FIT

    def check_classes(self, info: DatasetInfo) -> None:
        """Refuses to score a model by names that its own card contradicts.

        Raises:
            InputError: it has other classes than the data set.
        """
        names = self.class_names
        if names is None or names == info.class_names:
            return
        first = next(
            (
                i
                for i, pair in enumerate(zip(names, info.class_names))
                if len({*pair}) > 1
            ),
            min(len(names), info.num_classes),
        )
        own, other = (
            dict(enumerate(n)).get(first, "none") for n in (names, info.class_names)
        )
        raise InputError(
            f"{self.name}: its class {first} is {own}, that of {info.name} is {other}."
        )

    def compile(self, runtime: Runtime, batch_size: int = 1) -> Compiled:
        """Makes a function that segments a batch of images and waits.

        A file is run by the runtime it needs (`Compiled.runtime`) where
        `runtime` cannot read it.

        Raises:
            InputError: the file does not fit the runtime or the batch.
        """
        return self.prepare(runtime, batch_size).load()

    def precision_of(self, compiled: Compiled) -> str:
        """The number format in which the model computes, as compiled."""
        if self.precision is None and kind_of(self.name):
            return AS_MADE
        return self.precision or compiled.runtime.precision

    def calibration_of(self, compiled: Compiled) -> str | None:
        """What the model's `int8` was calibrated by; None for floats."""
        return self.calibration if kind_of(self.name) else compiled.runtime.calibration

    def inputs(self) -> Inputs:
        """Fingerprints of the model's files, for a run folder."""
        return {"--model": {str(path): fingerprint(path) for path in self.files}}


@dataclasses.dataclass(frozen=True)
class Prepared:
    """A model in the form that a runtime loads.

    Attributes:
        runtime: the one that does.
        content: what `Runtime.load` takes: bytes, or a file's path.
        batch_size: of a file; None for what was made for one batch.
    """

    runtime: Runtime
    content: Any
    batch_size: int | None = None

    def load(self) -> Compiled:
        """Readies it to run."""
        return self.runtime.load(self.content, self.batch_size)


def load_model(model: str, input_size: Size | None = None) -> LoadedModel:
    """Loads a zoo name, a genotype, a `.keras` file, a SavedModel or a model file.

    A network is evaluated and timed as deployed: pruned and folded. Parameters
    are counted as trained; those of a file that says nothing, as they lie there.

    Args:
        input_size: (height, width); by default the model's own.

    Raises:
        InputError: there is no such model, or it is of another size.
    """
    kind = kind_of(model)
    if kind == ".pb":
        return _load_saved_model(model, saved_model_folder(model), input_size)
    if kind:
        return _load_file(model, input_size)
    network = load_network(model, input_size)
    deployed = deploy(network)

    def prepare(runtime, batch_size):
        shape = (batch_size, *deployed.input_size, 3)
        return Prepared(runtime, runtime.convert(ClassMap(deployed), shape, "uint8"))

    return LoadedModel(
        name=model,
        input_size=deployed.input_size,
        num_classes=deployed.num_classes,
        predict_mask=mask_function(deployed),
        prepare=prepare,
        genotype=deployed.genotype,
        class_names=_class_names(model, deployed.genotype),
        params=network.count_params(),
        macs=count_macs(deployed),
        trained=has_weights(model),
        files=(model_path(model),),
    )


def _class_names(model, genotype) -> tuple[str, ...] | None:
    """Of a network with weights, as far as it knows them; random ones know none."""
    known = has_weights(model) and genotype.classes is not None
    return genotype.classes.class_names if known else None


def _load_file(model, input_size) -> LoadedModel:
    found = read_model_file(model)
    _check_size(model, found.input_size, input_size)
    return LoadedModel(
        name=model,
        input_size=found.input_size,
        predict_mask=MaskOfCompiled(model, found.compiled, found.input_size),
        prepare=_as_it_is(model, model),
        params=found.params,
        macs=found.macs,
        files=_parts(pathlib.Path(model)),
        **_card_fields(found.card),
    )


def _load_saved_model(model, folder, input_size) -> LoadedModel:
    tf = import_package("tensorflow", str(model))
    check_loadable(folder)
    try:
        loaded = tf.saved_model.load(str(folder))
        segment = loaded.signatures["serving_default"]
        (spec,) = segment.structured_input_signature[1].values()
        outputs = segment.structured_outputs
    except (OSError, KeyError, ValueError, tf.errors.OpError) as error:
        raise InputError(
            f"{folder}: cannot load: {str(error).splitlines()[0]}"
        ) from None
    if spec.dtype != tf.uint8 or spec.shape.rank != 4 or "mask" not in outputs:
        raise InputError(f"{folder}: not a SavedModel made by lgcnet-export.")
    size = tuple(spec.shape[1:3])
    _check_size(folder, size, input_size)
    card = folder / "assets.extra" / "lgcnet.json"
    card = read_json(card) if card.exists() else {}
    metadata = card.get("metadata", {})

    class Predict:
        input_size = size
        keep = loaded  # the loaded object owns the variables

        def __call__(self, images):
            return segment(**{spec.name: tf.constant(images, tf.uint8)})["mask"].numpy()

    return LoadedModel(
        name=model,
        input_size=size,
        predict_mask=Predict(),
        prepare=_as_it_is(model, folder),
        params=metadata.get("params"),
        macs=metadata.get("macs"),
        files=(folder,),
        **_card_fields(card),
    )


def _parts(path):
    """A file with those that belong to it: weights apart from the graph, a card."""
    beside = (path.with_suffix(".bin"), card_path(path), path.with_suffix(".json"))
    return path, *(other for other in beside if other.is_file())


def _as_it_is(model, path):
    def prepare(runtime, batch_size):
        return Prepared(runtime_for(model, runtime), str(path), batch_size)

    return prepare


def _check_size(model, size, wanted):
    if wanted and tuple(wanted) != tuple(size):
        raise InputError(
            f"{model}: takes images of {size[0]}x{size[1]}; such a file cannot be "
            f"evaluated at {wanted[0]}x{wanted[1]}."
        )


def _card_fields(card):
    metadata = card.get("metadata", {})
    genotype = metadata.get("genotype")
    classes = card.get("class_names")
    # Models were stretched to before a card said how.
    fit = card.get("fit", "stretch" if card else DEFAULT_FIT)
    check_fit(fit)
    return {
        "num_classes": classes and len(classes),
        "genotype": genotype and Genotype.from_dict(genotype),
        # Exports that say nothing of it are float32.
        "precision": card.get("precision", metadata.get("precision", "float32"))
        if card
        else None,
        "calibration": card.get("calibration"),
        "class_names": classes and tuple(classes),
        "fit": fit,
    }
