"""A search from data set and latency table to genotype (sections III, IV-A)."""

import dataclasses
from typing import Any

import keras
import numpy as np

from lgcnet_tf.data import steps_per_epoch
from lgcnet_tf.data.class_weights import class_weights
from lgcnet_tf.errors import InputError
from lgcnet_tf.files import atomic_write
from lgcnet_tf.guidance import Communication, cell_kinds
from lgcnet_tf.latency.estimate import CostModel, LatencyLoss
from lgcnet_tf.latency.table import LatencyTable
from lgcnet_tf.model.network import Network
from lgcnet_tf.model.precision import precision
from lgcnet_tf.run_folder import RunFolder, input_file
from lgcnet_tf.search.architecture import Architecture, check_sampling
from lgcnet_tf.search.derive import derive_for_target
from lgcnet_tf.search.joint_optimizer import JointOptimizer
from lgcnet_tf.search.latency_target import LatencyTarget, check_reachable, steer
from lgcnet_tf.search.observer import Observer
from lgcnet_tf.search.options import SearchOptions
from lgcnet_tf.search.random_search import random_search
from lgcnet_tf.search.search_model import SearchModel
from lgcnet_tf.search.temperature import temperature_at
from lgcnet_tf.space import Genotype, Skeleton
from lgcnet_tf.space.genotype import operation_counts
from lgcnet_tf.space.trained_on import SEARCHED_ON
from lgcnet_tf.training.data import load_training_data
from lgcnet_tf.training.determinism import make_deterministic
from lgcnet_tf.training.fit import compile_for_segmentation, fit
from lgcnet_tf.training.graphs import prepare_graphs
from lgcnet_tf.training.inputs import training_inputs
from lgcnet_tf.training.losses import CrossEntropy
from lgcnet_tf.training.optimizers import SGD, Adam
from lgcnet_tf.training.strategy import make_strategy
from lgcnet_tf.training.workers import last_words, this_worker, watch

GENOTYPE = "genotype.json"
ALPHAS = "alphas.npz"


def build_search_model(
    options: SearchOptions,
    skeleton: Skeleton,
    cost_model: CostModel,
    steps: int,
    weights: np.ndarray | None = None,
) -> SearchModel:
    """A compiled search model with both optimisers built.

    Call it inside the strategy's scope.

    Args:
        steps: steps in the whole search, for the cosine.
        weights: of the classes in the loss, (classes,), or None.
    """
    keras.utils.set_random_seed(options.seed)
    with precision(options.mixed_precision):
        network = Network(
            skeleton, options.crop_size, sampling=options.sampling, remat=options.remat
        )
    model = SearchModel(
        network,
        Architecture(
            skeleton,
            options.communication,
            options.ggm_width,
            options.gamma,
            options.seed,
            options.sampling,
        ),
        cost_model,
        LatencyLoss(
            options.latency_weight,
            options.latency_form,
            1000.0 * options.target_latency_ms or None,
        ),
    )

    def architecture_adam(rate):
        return Adam(rate, beta_1=0.5, beta_2=0.999, l2=options.alpha_l2)

    cosine = keras.optimizers.schedules.CosineDecay(
        options.weight_lr, steps, alpha=options.weight_lr_final / options.weight_lr
    )
    optimizer = JointOptimizer(
        SGD(
            cosine,
            momentum=0.9,
            l2=options.weight_l2,
            global_clipnorm=options.clip_norm or None,
        ),
        {
            Architecture.SCOPE: architecture_adam(options.alpha_lr),
            Communication.SCOPE: architecture_adam(
                options.guidance_lr or options.alpha_lr / options.ggm_width
            ),
        },
    )
    loss = CrossEntropy(class_weights=weights)
    compile_for_segmentation(model, optimizer, loss, skeleton.num_classes)
    return model


@watch()
def search(options: SearchOptions) -> dict[str, Any]:
    """Searches; writes genotype, α, history, events and results.

    Returns:
        What `results.json` holds.

    Raises:
        InputError: bad options, data or table; a loss that became NaN.
        WorkerLost: another machine of a distributed search is gone.
    """
    options.check()
    if not options.latency_table:
        raise InputError(
            "--latency_table is missing: make one with lgcnet-measure-latency."
        )
    if options.search_strategy == "random":
        return random_search(options, GENOTYPE)
    if options.deterministic:
        make_deterministic()
    prepare_graphs(wide=True)
    strategy, worker = make_strategy(options.devices, options.batch_size), this_worker()
    check_sampling(options.sampling, strategy.num_replicas_in_sync)
    target_us = 1000.0 * options.target_latency_ms
    data = load_training_data(options)
    samples = data.samples
    samples.check()
    watched = next(iter(data.validation.values()), None)
    skeleton = options.skeleton(samples.info.num_classes)
    table = LatencyTable.load(options.latency_table)
    cost_model = CostModel(table, skeleton, options.input_size)
    if target_us:
        reductions = [spec.reduction for spec in skeleton.cells]
        check_reachable(
            target_us, cost_model, cell_kinds(options.communication, reductions)
        )
    inputs = input_file("--latency_table", options.latency_table)
    inputs |= training_inputs(options)
    folder = RunFolder(options, "search", worker.index, inputs)
    if options.pictures_every and watched is None:
        for note in data.notes:
            folder.log.info("%s", note)
    steps = options.epochs * steps_per_epoch(samples, options.batch_size)
    weights = class_weights(samples, options.class_weights, options.class_weights_c)
    with strategy.scope():
        model = build_search_model(options, skeleton, cost_model, steps, weights)
    target = target_us and LatencyTarget(target_us, steps, options.latency_form)
    if target:
        model.latency_multiplier.assign(target.start(options.latency_weight))

    def on_epoch_begin(epoch):
        model.temperature.assign(
            temperature_at(
                epoch, options.epochs, options.temperature, options.temperature_final
            )
        )

    observer = Observer(
        model, folder, options, watched if options.pictures_every else None
    )
    history = fit(
        model,
        samples,
        folder,
        options,
        strategy=strategy,
        on_epoch_begin=on_epoch_begin,
        on_step_end=lambda: target and steer(model, target),
        on_epoch_end=observer,
    )
    with last_words(strategy, worker, options.epochs):
        if not worker.chief:
            return history[-1]
        genotype, edges_changed = _derive(model, options, table, cost_model)
        genotype = dataclasses.replace(genotype, classes=samples.info)
        genotype.provenance[SEARCHED_ON] = [data.record()]
        genotype.provenance["dataset"] = samples.info.name
        if target:
            folder.log.info(
                "target %.4g ms: predicted %.4g ms, edges changed for it: %d",
                options.target_latency_ms,
                genotype.provenance["predicted_latency_ms"],
                edges_changed,
            )
        network = Network(skeleton, options.crop_size, genotype)  # refuses an empty one
        genotype.save(folder / GENOTYPE)
        with atomic_write(folder / ALPHAS) as temporary:
            np.savez(temporary, **model.architecture.probabilities())
        return folder.finish(
            {
                "predicted_latency_ms": genotype.provenance["predicted_latency_ms"],
                **({"edges_changed_for_target": edges_changed} if target else {}),
                "operations": operation_counts(genotype),
                "params": network.count_params(),
                "epochs": len(history),
                **observer.conclusion(),
                "last_epoch": history[-1],
            }
        )


def _derive(model, options, table, cost_model) -> tuple[Genotype, int]:
    genotype, edges_changed = model.architecture.derive(), 0
    if options.target_latency_ms:
        genotype, edges_changed = derive_for_target(
            model.architecture, cost_model, 1000.0 * options.target_latency_ms
        )
    predicted_ms = cost_model.predicted_latency(genotype) / 1000.0
    provenance = {
        "dataset": options.dataset,
        "input_size": list(options.input_size),
        "latency_weight": options.latency_weight,
        "latency_form": options.latency_form,
        "communication": options.communication,
        "latency_table": table.table_id,
        "seed": options.seed,
        "predicted_latency_ms": predicted_ms,
    }
    if table.batch_size != 1:
        provenance["latency_batch_size"] = table.batch_size
    if options.target_latency_ms:
        provenance["target_latency_ms"] = options.target_latency_ms
    return dataclasses.replace(genotype, provenance=provenance), edges_changed
