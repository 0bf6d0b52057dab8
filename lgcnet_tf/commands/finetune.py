"""Training a derived network from its genotype (section IV-A)."""

import dataclasses
from collections.abc import Iterator
from typing import Any

from lgcnet_tf.commands.defaults import of_genotype as resolved
from lgcnet_tf.commands.finish import finish
from lgcnet_tf.config import option
from lgcnet_tf.data import DatasetInfo, steps_per_epoch
from lgcnet_tf.data.class_weights import class_weights
from lgcnet_tf.files import atomic_write
from lgcnet_tf.run_folder import MODEL, Inputs, input_file, refuse_finished
from lgcnet_tf.space.genotype import Genotype
from lgcnet_tf.training.inputs import training_inputs
from lgcnet_tf.training.options import AverageOptions
from lgcnet_tf.training.recipe_options import RecipeOptions
from lgcnet_tf.training.settings import OPTIMIZERS, SCHEDULES


@dataclasses.dataclass(frozen=True, kw_only=True)
class NetworkTrainingOptions(AverageOptions, RecipeOptions):
    """How any network is trained; the defaults are the paper's."""

    TOPIC = "Training"

    initial_model: str = option(
        "",
        "What to take weights from, layer by layer where they fit: the folder of "
        "a search, pretraining or finetuning, a .keras file or a name of the model zoo; "
        "else from scratch.",
        topic="Network",
    )
    validate_every: int = option(
        5, "Epochs from one validation to the next.", minimum=1
    )
    epochs: int = option(200, "Epochs of training.", minimum=1)
    batch_size: int = option(8, "Global batch size.", minimum=1)
    optimizer: str = option(
        OPTIMIZERS[0], "SGD with momentum 0.9, Adam or AdamW.", OPTIMIZERS
    )
    lr: float = option(0.01, "Initial rate.", above=0)
    schedule: str = option(SCHEDULES[0], "How the rate falls to zero.", SCHEDULES)
    lr_power: float = option(0.9, "Power of the poly schedule.", above=0)
    warmup_epochs: float = option(
        0.0, "Epochs over which the rate first rises linearly.", minimum=0
    )
    l2: float = option(
        5e-4, "Decay of the weights: coupled L2, with adamw decoupled.", minimum=0
    )
    hardest: float = option(
        0.25, "Share of an image's pixels in the loss; 1 for all.", above=0
    )

    def problems(self) -> Iterator[str]:
        yield from super().problems()
        if self.hardest > 1.0:
            yield f"--hardest must be at most 1. Received: {self.hardest}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class FinetuneOptions(NetworkTrainingOptions):
    """Options of a training run."""

    TOPIC = "Network"

    model: str = option(
        "",
        "Genotype to train: a file, or a name of the model zoo.",
        needed="the genotype of a search, or a name of the model zoo.",
    )


def finetune(options: FinetuneOptions) -> dict[str, Any]:
    """Trains a network; writes `model.keras` at `input_size`, history, results.

    `best.keras` beside it has the weights of the epoch with the best validation.

    Returns:
        What `results.json` holds.

    Raises:
        InputError: bad options, data or genotype; a loss that became NaN.
        WorkerLost: another machine of a distributed training is gone.
    """
    refuse_finished(options.output_dir)
    from lgcnet_tf.model.network import Network
    from lgcnet_tf.model.sizes import at_size
    from lgcnet_tf.model.zoo import load_genotype
    from lgcnet_tf.training.best import BestWeights
    from lgcnet_tf.training.data import (
        LEFT_OUT_MIOU,
        VAL_MIOU,
        earlier_training,
        with_training,
    )
    from lgcnet_tf.training.fit import compile_for_segmentation
    from lgcnet_tf.training.growing_crops import GrowingCrops
    from lgcnet_tf.training.initial import report_start, start_from
    from lgcnet_tf.training.recipe import augmentation, segmentation_loss, supervised
    from lgcnet_tf.training.run import training_run
    from lgcnet_tf.training.setup import averaged, optimizer_for
    from lgcnet_tf.training.validation import Validation

    options = resolved(options)
    with training_run(options, "finetune") as run:
        samples, info = run.data.samples, run.data.samples.info
        genotype = _for_classes(load_genotype(options.model), info)
        earlier = earlier_training(options.initial_model)
        steps = steps_per_epoch(samples, options.batch_size)
        weights = class_weights(samples, options.class_weights, options.class_weights_c)
        crops = options.crops()
        added, notes = augmentation(options, samples)
        with run.building():
            network = Network.derived(genotype, crops.sizes[0], remat=options.remat)
            model = supervised(network, options, info.void_label)
        with run.strategy.scope():
            initial = options.initial_model and start_from(
                network, options.initial_model
            )
            compile_for_segmentation(
                model,
                optimizer_for(
                    options, steps, options.schedule, options.l2, options.lr_power
                ),
                segmentation_loss(options, info.void_label, options.hardest, weights),
                info.num_classes,
            )
        average, get_weights = averaged(network, options.ema, run.strategy)
        folder = run.open_folder(training_inputs(options) | _model_inputs(options))
        if initial:
            report_start(initial, options.initial_model, folder)
        for note in (*run.data.notes, *notes):
            folder.log.info("%s", note)
        sets = run.data.validation if run.worker.chief else {}
        trained = at_size(network, options.input_size)
        own = genotype.for_size(options.input_size)
        trained.genotype = with_training(own, earlier, [run.data.record()])
        validation = Validation(
            trained,
            sets,
            options.validate_every,
            options.epochs,
            options.pictures_every,
            folder,
            get_weights,
        )
        best = BestWeights(
            VAL_MIOU if VAL_MIOU in sets else next(iter(sets), VAL_MIOU),
            validation.save,
        )
        run.announce(network, samples, sets, crops.sizes)
        history = run.fit(
            model,
            samples,
            callbacks=[GrowingCrops(network, crops, options.epochs), *average],
            measures=[validation],
            best=best,
            crops=crops,
            augmentation=added,
        )
        if not run.worker.chief:
            return history[-1]
        with atomic_write(folder / MODEL) as temporary:
            validation.save(temporary)
        best.log()
        return finish(
            folder,
            {
                "model": MODEL,
                **best.results(),
                "params": trained.count_params(),
                "epochs": len(history),
                **{k: v for k, v in history[-1].items() if k == LEFT_OUT_MIOU},
                "last_epoch": history[-1],
            },
            folder / MODEL,
        )


def _for_classes(genotype: Genotype, info: DatasetInfo) -> Genotype:
    """The genotype of a network of these classes: its classifier alone differs."""
    if genotype.skeleton.num_classes != info.num_classes:
        skeleton = dataclasses.replace(genotype.skeleton, num_classes=info.num_classes)
        provenance = dict(genotype.provenance)
        provenance.pop("predicted_latency_ms", None)  # it was another network's
        genotype = dataclasses.replace(
            genotype, skeleton=skeleton, provenance=provenance, classes=None
        )
    return dataclasses.replace(genotype, classes=info)


def _model_inputs(options: FinetuneOptions) -> Inputs:
    from lgcnet_tf.model.zoo import model_path
    from lgcnet_tf.training.initial import initial_file
    from lgcnet_tf.training.teacher import teacher_inputs

    found = input_file("--model", model_path(options.model, "genotype.json"))
    if options.initial_model:
        found |= input_file("--initial_model", initial_file(options.initial_model))
    return found | teacher_inputs(options.teacher)
