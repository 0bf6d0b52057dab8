"""Pretraining a derived network's backbone on classified images (section IV-A)."""

import dataclasses
from collections.abc import Iterator
from typing import Any

from lgcnet_tf.commands.finish import finish
from lgcnet_tf.config import RunOptions, Size, option
from lgcnet_tf.data import steps_per_epoch
from lgcnet_tf.data.labelled_images import (
    IMAGE_FOLDER,
    LabelledImages,
    labelled_inputs,
    load_labelled_images,
)
from lgcnet_tf.errors import NoSuchSplit
from lgcnet_tf.files import atomic_write
from lgcnet_tf.run_folder import MODEL, input_file, refuse_finished
from lgcnet_tf.training.options import AverageOptions, StepOptions
from lgcnet_tf.training.settings import OPTIMIZERS


@dataclasses.dataclass(frozen=True, kw_only=True)
class PretrainOptions(AverageOptions, StepOptions, RunOptions):
    """Options of a pretraining."""

    TOPIC = "Training"

    model: str = option(
        "",
        "Genotype to train: a file, or a name of the model zoo.",
        needed="the genotype of a search, or a name of the model zoo.",
        topic="Network",
    )
    dataset: str = option(
        "imagenet2012",
        f"A classification set of TFDS by its name, or {IMAGE_FOLDER}: that of "
        "--data_dir, with one subfolder a class, or with such a folder for each split.",
        topic="Data",
    )
    data_dir: str = option(
        "",
        f"Folder of {IMAGE_FOLDER}, or of the archives that TFDS cannot download.",
        topic="Data",
    )
    split: str = option("train", "Split to train on.", topic="Data")
    validation_split: str = option(
        "validation",
        "Split for the accuracy; empty for none. Data without a split validation go "
        "without.",
        topic="Data",
    )
    crop_size: Size = option((224, 224), "Size of the network's input, HxW.")
    scale_min: float = option(
        0.08, "Smallest share of an image's area in a random crop.", above=0
    )
    scale_max: float = option(1.0, "Largest share of it.", above=0)
    epochs: int = option(120, "Epochs of training.", minimum=1)
    batch_size: int = option(128, "Global batch size.", minimum=1)
    optimizer: str = option(
        OPTIMIZERS[0], "SGD with Nesterov's momentum 0.9, Adam or AdamW.", OPTIMIZERS
    )
    lr: float = option(0.1, "Initial rate; a cosine leads from it to 0.", above=0)
    warmup_epochs: float = option(
        5.0, "Epochs over which the rate first rises linearly.", minimum=0
    )
    weight_decay: float = option(
        4e-5,
        "Coupled (an L2 penalty); with adamw decoupled, sparing biases and norms.",
        minimum=0,
    )
    label_smoothing: float = option(
        0.1, "Share of a label that is spread over all classes.", minimum=0
    )
    validate_every: int = option(
        1, "Epochs from one validation to the next.", minimum=1
    )

    @property
    def scale_range(self) -> tuple[float, float]:
        """The limits of a crop's share of an image's area."""
        return self.scale_min, self.scale_max

    def problems(self) -> Iterator[str]:
        yield from super().problems()
        if not self.scale_min <= self.scale_max <= 1.0:
            yield (
                "--scale_min and --scale_max are shares of an image's area, in order. "
                f"Received: {self.scale_min}, {self.scale_max}"
            )
        if self.label_smoothing >= 1.0:
            yield f"--label_smoothing must be below 1. Received: {self.label_smoothing}"
        if self.warmup_epochs >= self.epochs:
            yield (
                f"--warmup_epochs={self.warmup_epochs} must be below "
                f"--epochs={self.epochs}."
            )


def pretrain(options: PretrainOptions) -> dict[str, Any]:
    """Trains a genotype's backbone as a classifier; writes `model.keras`.

    That file, or the run's folder, is an `--initial_model` of lgcnet-finetune;
    `best.keras` beside it has the weights of the epoch with the best validation.

    Returns:
        What `results.json` holds.

    Raises:
        InputError: bad options, data or genotype; a loss that became NaN.
        WorkerLost: another machine of a distributed training is gone.
    """
    refuse_finished(options.output_dir)
    from lgcnet_tf.model.classifier import build_classifier
    from lgcnet_tf.model.zoo import load_genotype, model_path
    from lgcnet_tf.training.best import BestWeights
    from lgcnet_tf.training.classification import (
        ClassifierValidation,
        SmoothedCrossEntropy,
        compile_for_classification,
    )
    from lgcnet_tf.training.run import training_run
    from lgcnet_tf.training.setup import averaged, optimizer_for

    with training_run(options, "pretrain") as run:
        genotype = load_genotype(options.model)
        images = load_labelled_images(
            options.dataset, options.split, options.data_dir or None
        )
        images.check()
        validation = _load_validation(options)
        steps = steps_per_epoch(images, options.batch_size)
        with run.building():
            classifier = build_classifier(
                genotype, images.num_classes, options.crop_size, options.remat
            )
        with run.strategy.scope():
            compile_for_classification(
                classifier,
                optimizer_for(
                    options, steps, "cosine", options.weight_decay, nesterov=True
                ),
                SmoothedCrossEntropy(options.label_smoothing),
            )
        average, get_weights = averaged(classifier, options.ema, run.strategy)
        inputs = input_file("--model", model_path(options.model, "genotype.json"))
        for read in filter(None, (images, validation)):
            inputs |= labelled_inputs(read, options.dataset, options.data_dir or None)
        folder = run.open_folder(inputs)
        if options.validation_split and validation is None:
            folder.log.info(
                "the data have no split '%s': no validation", options.validation_split
            )
        measure = ClassifierValidation(
            classifier,
            validation if run.worker.chief else None,
            options.batch_size,
            options.validate_every,
            options.epochs,
            get_weights,
        )
        best = BestWeights("val_top1", measure.save)
        run.announce(classifier, images, {"val_top1": validation} if validation else {})
        try:
            history = run.fit(
                classifier, images, callbacks=average, measures=[measure], best=best
            )
        except Exception:
            if images.failure:  # inside tf.data it became another error
                raise images.failure from None
            raise
        if not run.worker.chief:
            return history[-1]
        classifier.set_weights(get_weights())
        with atomic_write(folder / MODEL) as temporary:
            classifier.save(temporary)
        best.log()
        return finish(
            folder,
            {
                "model": MODEL,
                **best.results(),
                "params": classifier.count_params(),
                "classes": images.num_classes,
                "images": len(images),
                "epochs": len(history),
                "last_epoch": history[-1],
            },
            folder / MODEL,
        )


def _load_validation(options: PretrainOptions) -> LabelledImages | None:
    """The validation split; None where none is wanted or the data have none."""
    split = options.validation_split
    if not split:
        return None
    try:
        return load_labelled_images(options.dataset, split, options.data_dir or None)
    except NoSuchSplit:
        if split != PretrainOptions.validation_split:
            raise
        return None
