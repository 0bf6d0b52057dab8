"""A search from data set and latency table to genotype (sections III, IV-A)."""

import dataclasses
from typing import Any

import keras
import numpy as np

from lgcnet_tf.config import option
from lgcnet_tf.data import load_samples, steps_per_epoch
from lgcnet_tf.errors import InputError
from lgcnet_tf.files import atomic_write
from lgcnet_tf.guidance import COMMUNICATIONS, GAMMA, WIDTH
from lgcnet_tf.latency.estimate import FORMS, LATENCY_WEIGHT, CostModel, LatencyLoss
from lgcnet_tf.latency.table import LatencyTable
from lgcnet_tf.model.network import Network
from lgcnet_tf.run_folder import RunFolder
from lgcnet_tf.search.architecture import Architecture
from lgcnet_tf.search.joint_optimizer import JointOptimizer
from lgcnet_tf.search.search_model import SearchModel
from lgcnet_tf.search.temperature import FINAL, INITIAL, temperature_at
from lgcnet_tf.space import Genotype, Skeleton
from lgcnet_tf.space.genotype import operation_counts
from lgcnet_tf.space.options import SpaceOptions
from lgcnet_tf.training.fit import compile_for_segmentation, fit
from lgcnet_tf.training.losses import CrossEntropy
from lgcnet_tf.training.options import TrainingOptions
from lgcnet_tf.training.optimizers import SGD, Adam
from lgcnet_tf.training.strategy import make_strategy

GENOTYPE = "genotype.json"
ALPHAS = "alphas.npz"


@dataclasses.dataclass(frozen=True, kw_only=True)
class SearchOptions(SpaceOptions, TrainingOptions):
    """Options of a search; the defaults are the paper's."""

    latency_table: str = option("", "Latency table of the space at --input_size.")
    epochs: int = option(50, "Epochs of the search.", minimum=1)
    batch_size: int = option(16, "Global batch size.", minimum=1)
    communication: str = option("ggm", "Between cells.", COMMUNICATIONS)
    ggm_width: int = option(WIDTH, "d, width of the GCN-guided modules (Table VIII).", minimum=1)
    gamma: float = option(GAMMA, "γ of Eq. 5.")
    latency_weight: float = option(LATENCY_WEIGHT, "λ of Eq. 10.", minimum=0)
    latency_form: str = option(
        FORMS[0], "λ·log(LAT in µs), or λ·LAT in ms.", FORMS
    )
    weight_lr: float = option(0.025, "Initial rate of the weights' SGD (cosine).", above=0)
    weight_lr_final: float = option(0.001, "Its final rate.", minimum=0)
    weight_l2: float = option(1e-3, "L2 of the weights, coupled.")
    alpha_lr: float = option(1e-3, "Rate of the architecture's Adam.", above=0)
    alpha_l2: float = option(1e-4, "L2 of the architecture, coupled.")
    temperature: float = option(INITIAL, "τ of Eq. 4 in the first epoch.", above=0)
    temperature_final: float = option(FINAL, "τ in the last epoch.", above=0)


def build_search_model(
    options: SearchOptions, skeleton: Skeleton, cost_model: CostModel, steps: int
) -> SearchModel:
    """A compiled search model with both optimisers built.

    Call it inside the strategy's scope.

    Args:
        steps: steps in the whole search, for the cosine.
    """
    keras.utils.set_random_seed(options.seed)
    model = SearchModel(
        Network(skeleton, options.crop_size),
        Architecture(
            skeleton,
            options.communication,
            options.ggm_width,
            options.gamma,
            options.seed,
        ),
        cost_model,
        LatencyLoss(options.latency_weight, options.latency_form),
    )
    cosine = keras.optimizers.schedules.CosineDecay(
        options.weight_lr, steps, alpha=options.weight_lr_final / options.weight_lr
    )
    optimizer = JointOptimizer(
        SGD(cosine, momentum=0.9, l2=options.weight_l2),
        Adam(options.alpha_lr, beta_1=0.5, beta_2=0.999, l2=options.alpha_l2),
        scope=Architecture.SCOPE,
    )
    compile_for_segmentation(model, optimizer, CrossEntropy(), skeleton.num_classes)
    return model


def search(options: SearchOptions) -> dict[str, Any]:
    """Searches; writes genotype, α, history, events and results.

    Returns:
        What `results.json` holds.

    Raises:
        InputError: bad options, data or table; a loss that became NaN.
    """
    options.check()
    if not options.latency_table:
        raise InputError(
            "--latency_table is missing: make one with lgcnet-measure-latency."
        )
    samples = load_samples(options.dataset, options.split, options.data_dir or None)
    samples.check()
    skeleton = options.skeleton(samples.info.num_classes)
    table = LatencyTable.load(options.latency_table)
    cost_model = CostModel(table, skeleton, options.input_size)
    folder = RunFolder(options, "search")
    steps = options.epochs * steps_per_epoch(samples, options.batch_size)
    with make_strategy().scope():
        model = build_search_model(options, skeleton, cost_model, steps)

    def on_epoch_begin(epoch):
        model.temperature.assign(
            temperature_at(
                epoch, options.epochs, options.temperature, options.temperature_final
            )
        )

    def on_epoch_end(epoch):
        probabilities = model.architecture.probabilities()
        entropy = [-(p * np.log(p + 1e-12)).sum(-1).mean() for p in probabilities.values()]
        return {
            "temperature": float(model.temperature),
            "derived_latency_ms": cost_model.predicted_latency(
                model.architecture.derive()
            )
            / 1000.0,
            "alpha_entropy": float(np.mean(entropy)),
        }

    history = fit(
        model,
        samples,
        folder,
        epochs=options.epochs,
        batch_size=options.batch_size,
        crop_size=options.crop_size,
        seed=options.seed,
        scale_range=options.scale_range,
        on_epoch_begin=on_epoch_begin,
        on_epoch_end=on_epoch_end,
    )
    genotype = _derive(model, options, table, cost_model)
    network = Network(skeleton, options.crop_size, genotype)  # refuses an empty one
    genotype.save(folder / GENOTYPE)
    with atomic_write(folder / ALPHAS) as temporary:
        np.savez(temporary, **model.architecture.probabilities())
    return folder.finish(
        {
            "predicted_latency_ms": genotype.provenance["predicted_latency_ms"],
            "operations": operation_counts(genotype),
            "params": network.count_params(),
            "epochs": len(history),
            "last_epoch": history[-1],
        }
    )


def _derive(model, options, table, cost_model) -> Genotype:
    genotype = model.architecture.derive()
    provenance = {
        "dataset": options.dataset,
        "input_size": list(options.input_size),
        "latency_weight": options.latency_weight,
        "latency_form": options.latency_form,
        "communication": options.communication,
        "latency_table": table.table_id,
        "seed": options.seed,
        "predicted_latency_ms": cost_model.predicted_latency(genotype) / 1000.0,
    }
    return dataclasses.replace(genotype, provenance=provenance)
