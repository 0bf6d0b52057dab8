"""Training a derived network from its genotype (section IV-A)."""

import dataclasses
from typing import Any

import keras

from lgcnet_tf.config import option
from lgcnet_tf.data import steps_per_epoch
from lgcnet_tf.errors import InputError
from lgcnet_tf.files import atomic_write
from lgcnet_tf.model.network import Network, at_size
from lgcnet_tf.model.precision import precision
from lgcnet_tf.model.zoo import load_genotype, load_network
from lgcnet_tf.run_folder import RunFolder
from lgcnet_tf.training.data import (
    LEFT_OUT_MIOU,
    earlier_training,
    load_training_data,
    with_training,
)
from lgcnet_tf.training.determinism import make_deterministic
from lgcnet_tf.training.fit import compile_for_segmentation, fit
from lgcnet_tf.training.graphs import prepare_graphs
from lgcnet_tf.training.losses import CrossEntropy
from lgcnet_tf.training.options import TrainingOptions
from lgcnet_tf.training.optimizers import SGD
from lgcnet_tf.training.strategy import make_strategy
from lgcnet_tf.training.validation import Validation
from lgcnet_tf.training.workers import last_words, this_worker, watch

MODEL = "model.keras"


@dataclasses.dataclass(frozen=True, kw_only=True)
class FinetuneOptions(TrainingOptions):
    """Options of a training run; the defaults are the paper's."""

    model: str = option("", "Genotype to train: a file, or a name of the model zoo.")
    initial_model: str = option(
        "", "Saved network of the same genotype to start from; else from scratch."
    )
    validate_every: int = option(5, "Epochs from one to the next.", minimum=1)
    epochs: int = option(200, "Epochs of training.", minimum=1)
    batch_size: int = option(8, "Global batch size.", minimum=1)
    lr: float = option(0.01, "Initial rate of SGD.", above=0)
    lr_power: float = option(0.9, "Power of the poly schedule to zero.", above=0)
    l2: float = option(5e-4, "L2 of the weights, coupled.", minimum=0)
    hardest: float = option(
        0.25, "Share of an image's pixels in the loss; 1 for all.", above=0
    )

    def check(self) -> None:
        super().check()
        if self.hardest > 1.0:
            raise InputError(f"--hardest must be at most 1. Received: {self.hardest}")


@watch()
def finetune(options: FinetuneOptions) -> dict[str, Any]:
    """Trains a network; writes `model.keras` at `input_size`, history, results.

    Returns:
        What `results.json` holds.

    Raises:
        InputError: bad options, data or genotype; a loss that became NaN.
        WorkerLost: another machine of a distributed training is gone.
    """
    options.check()
    if options.deterministic:
        make_deterministic()
    prepare_graphs(wide=False)
    strategy, worker = make_strategy(options.devices, options.batch_size), this_worker()
    data = load_training_data(options)
    samples = data.samples
    samples.check()
    genotype = load_genotype(options.model)
    earlier = earlier_training(options.initial_model)
    classes = samples.info.num_classes
    if genotype.skeleton.num_classes != classes:  # the classifier alone depends on it
        skeleton = dataclasses.replace(genotype.skeleton, num_classes=classes)
        provenance = dict(genotype.provenance)
        provenance.pop("predicted_latency_ms", None)  # it was another network's
        genotype = dataclasses.replace(
            genotype, skeleton=skeleton, provenance=provenance
        )
    steps = options.epochs * steps_per_epoch(samples, options.batch_size)
    with strategy.scope():
        keras.utils.set_random_seed(options.seed)
        with precision(options.mixed_precision):
            network = Network(
                genotype.skeleton, options.crop_size, genotype, remat=options.remat
            )
        if options.initial_model:
            _start_from(network, options.initial_model)
        poly = keras.optimizers.schedules.PolynomialDecay(
            options.lr, steps, end_learning_rate=0.0, power=options.lr_power
        )
        compile_for_segmentation(
            network,
            SGD(
                poly,
                momentum=0.9,
                l2=options.l2,
                global_clipnorm=options.clip_norm or None,
            ),
            CrossEntropy(samples.info.void_label, options.hardest),
            classes,
        )
    folder = RunFolder(options, "finetune", worker.index)
    for note in data.notes:
        folder.log.info("%s", note)
    history = fit(
        network,
        samples,
        folder,
        options,
        strategy=strategy,
        on_epoch_end=Validation(
            network,
            data.validation if worker.chief else {},
            options.input_size,
            options.validate_every,
            options.epochs,
            options.pictures_every,
            folder,
        ),
    )
    with last_words(strategy, worker, options.epochs):
        if not worker.chief:
            return history[-1]
        trained = at_size(network, options.input_size)
        trained.genotype = with_training(genotype, earlier, [data.record()])
        with atomic_write(folder / MODEL) as temporary:
            trained.save(temporary)
        return folder.finish(
            {
                "model": MODEL,
                "params": trained.count_params(),
                "epochs": len(history),
                **{k: v for k, v in history[-1].items() if k == LEFT_OUT_MIOU},
                "last_epoch": history[-1],
            }
        )


def _start_from(network: Network, model: str) -> None:
    trained = load_network(model, network.input_size)
    if trained.genotype != network.genotype:
        raise InputError(
            f"--initial_model={model}: its genotype or classes are not those of --model."
        )
    network.set_weights(trained.get_weights())
