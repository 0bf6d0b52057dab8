"""Training a derived network from its genotype (section IV-A)."""

import dataclasses
from typing import Any

import keras

from lgcnet_tf.config import DataOptions, Size, option
from lgcnet_tf.data import load_samples, steps_per_epoch
from lgcnet_tf.files import atomic_write
from lgcnet_tf.model.network import Network, at_size
from lgcnet_tf.model.zoo import load_genotype
from lgcnet_tf.run_folder import RunFolder
from lgcnet_tf.training.fit import fit
from lgcnet_tf.training.losses import CrossEntropy
from lgcnet_tf.training.optimizers import SGD
from lgcnet_tf.training.strategy import make_strategy
from lgcnet_tf.training.validation import Validation

MODEL = "model.keras"


@dataclasses.dataclass(frozen=True, kw_only=True)
class FinetuneOptions(DataOptions):
    """Options of a training run; the defaults are the paper's."""

    model: str = option("", "Genotype to train: a file, or a name of the model zoo.")
    seed: int = option(0, "Seed of weights, order and augmentation.")
    validation_split: str = option("val", "Split for the mIoU; empty for none.")
    validate_every: int = option(5, "Epochs from one validation to the next.")
    crop_size: Size = option((96, 160), "Size of the training crops, HxW.")
    epochs: int = option(200, "Epochs of training.")
    batch_size: int = option(8, "Global batch size.")
    lr: float = option(0.01, "Initial rate of SGD.")
    lr_power: float = option(0.9, "Power of the poly schedule to zero.")
    l2: float = option(5e-4, "L2 of the weights, coupled.")
    hardest: float = option(0.25, "Share of an image's pixels in the loss; 1 for all.")
    scale_min: float = option(0.5, "Smallest scale of the random resize.")
    scale_max: float = option(2.0, "Largest scale of the random resize.")


def finetune(options: FinetuneOptions) -> dict[str, Any]:
    """Trains from scratch; writes `model.keras` at `input_size`, history, results.

    Returns:
        What `results.json` holds.

    Raises:
        InputError: bad options, data or genotype; a loss that became NaN.
    """
    options.check()
    samples = load_samples(options.dataset, options.split, options.data_dir or None)
    genotype = load_genotype(options.model)
    classes = samples.info.num_classes
    if genotype.skeleton.num_classes != classes:  # the classifier alone depends on it
        skeleton = dataclasses.replace(genotype.skeleton, num_classes=classes)
        genotype = dataclasses.replace(genotype, skeleton=skeleton)
    validation = None
    if options.validation_split:
        validation = load_samples(
            options.dataset, options.validation_split, options.data_dir or None
        )
    folder = RunFolder(options, "finetune")
    steps = options.epochs * steps_per_epoch(samples, options.batch_size)
    with make_strategy().scope():
        keras.utils.set_random_seed(options.seed)
        network = Network(genotype.skeleton, options.crop_size, genotype)
        poly = keras.optimizers.schedules.PolynomialDecay(
            options.lr, steps, end_learning_rate=0.0, power=options.lr_power
        )
        network.compile(
            optimizer=SGD(poly, momentum=0.9, l2=options.l2),
            loss=CrossEntropy(samples.info.void_label, options.hardest),
            metrics=[
                keras.metrics.MeanIoU(
                    classes, ignore_class=255, sparse_y_pred=False, name="miou"
                )
            ],
            jit_compile=keras.backend.backend() != "tensorflow",
        )
        network.optimizer.build(network.trainable_variables)
    history = fit(
        network,
        samples,
        folder,
        epochs=options.epochs,
        batch_size=options.batch_size,
        crop_size=options.crop_size,
        seed=options.seed,
        scale_range=(options.scale_min, options.scale_max),
        on_epoch_end=Validation(
            network,
            validation,
            options.input_size,
            options.validate_every,
            options.epochs,
        ),
    )
    trained = at_size(network, options.input_size)
    with atomic_write(folder / MODEL) as temporary:
        trained.save(temporary)
    return folder.finish(
        {
            "model": MODEL,
            "params": trained.count_params(),
            "epochs": len(history),
            "last_epoch": history[-1],
        }
    )
