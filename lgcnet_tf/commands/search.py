"""Searching a network, from data set and latency table to genotype (sections III, IV-A)."""

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from lgcnet_tf.architecture_search.settings import (
    ALPHA_SCHEDULES,
    FINAL_TEMPERATURE,
    INITIAL_TEMPERATURE,
    SAMPLINGS,
)
from lgcnet_tf.commands.defaults import of_table as resolved
from lgcnet_tf.commands.finish import finish
from lgcnet_tf.commands.keep_table import keep_table
from lgcnet_tf.commands.latency_range import saying_what_to_turn
from lgcnet_tf.config import option
from lgcnet_tf.data import steps_per_epoch
from lgcnet_tf.data.class_weights import class_weights
from lgcnet_tf.errors import InputError
from lgcnet_tf.files import atomic_write
from lgcnet_tf.guidance.settings import GAMMA, MODULES, WIDTH
from lgcnet_tf.latency.settings import FORMS, LATENCY_WEIGHT
from lgcnet_tf.latency.table import LatencyTable
from lgcnet_tf.run_folder import (
    ALPHAS,
    GENOTYPE,
    input_file,
    refuse_finished,
)
from lgcnet_tf.space.choices import PROBABILITIES, searched_edges
from lgcnet_tf.space.genotype import operation_counts
from lgcnet_tf.space.options import SpaceOptions
from lgcnet_tf.space.trained_on import SEARCHED_ON
from lgcnet_tf.training.inputs import training_inputs
from lgcnet_tf.training.options import TrainingOptions

if TYPE_CHECKING:
    from lgcnet_tf.architecture_search.derive import Derived

STRATEGIES = ("differentiable", "random")


@dataclasses.dataclass(frozen=True, kw_only=True)
class SearchOptions(SpaceOptions, TrainingOptions):
    """Options of a search; the defaults are the paper's."""

    TOPIC = "Architecture"

    search_strategy: str = option(
        STRATEGIES[0], "Search by gradients, or draw a random network.", STRATEGIES
    )
    min_latency_ms: float = option(
        0.0,
        "Predicted latency a random network has at least; 0 for any.",
        minimum=0,
        topic="Latency",
    )
    max_latency_ms: float = option(
        0.0,
        "Predicted latency a random network has at most; 0 for any.",
        minimum=0,
        topic="Latency",
    )
    latency_table: str = option(
        "",
        "Latency table; data set, --input_size and search space are its own, unless "
        "they are given.",
        needed="make one with lgcnet-measure-latency.",
        topic="Latency",
    )
    epochs: int = option(50, "Epochs of the search.", minimum=1, topic="Training")
    batch_size: int = option(16, "Global batch size.", minimum=1, topic="Training")
    communication: str = option("ggm", "Between cells.", MODULES.names)
    ggm_width: int = option(
        WIDTH, "d, width of the GCN-guided modules (Table VIII).", minimum=1
    )
    gamma: float = option(GAMMA, "γ of Eq. 5.")
    sampling: str = option(
        SAMPLINGS[0],
        "Mix all operations of an edge, by one draw for a batch or one for each image, "
        "or take one of them (in less memory and time).",
        SAMPLINGS,
    )
    latency_weight: float = option(
        LATENCY_WEIGHT, "λ of Eq. 10.", minimum=0, topic="Latency"
    )
    latency_form: str = option(
        FORMS[0], "λ·log(LAT in µs), or λ·LAT in ms.", FORMS, topic="Latency"
    )
    target_latency_ms: float = option(
        0.0,
        "Predicted latency of the network to be found, met within 5 %; λ is then "
        "steered and --latency_weight is where it starts. 0 for none.",
        minimum=0,
        topic="Latency",
    )
    weight_lr: float = option(
        0.025, "Initial rate of the weights' SGD (cosine).", above=0, topic="Training"
    )
    weight_lr_final: float = option(
        0.001, "Its final rate.", minimum=0, topic="Training"
    )
    weight_l2: float = option(1e-3, "L2 of the weights, coupled.", topic="Training")
    alpha_lr: float = option(1e-3, "Rate of the architecture's Adam.", above=0)
    guidance_lr: float = option(
        0.0,
        "Rate of the modules between cells; 0 for alpha_lr / (ggm_width · modules).",
        minimum=0,
    )
    alpha_schedule: str = option(
        ALPHA_SCHEDULES[0],
        "Of the architecture's rates: as they are throughout, or a cosine to 0, by "
        "which the last epochs turn no choice round.",
        ALPHA_SCHEDULES,
    )
    alpha_l2: float = option(1e-4, "L2 of the architecture, coupled.")
    temperature: float = option(
        INITIAL_TEMPERATURE, "τ of Eq. 4 in the first epoch.", above=0
    )
    temperature_final: float = option(
        FINAL_TEMPERATURE, "τ in the last epoch.", above=0
    )

    def problems(self) -> Iterator[str]:
        yield from super().problems()
        yield from _problems_of_strategy(self)


def _problems_of_strategy(options: SearchOptions) -> Iterator[str]:
    """The options that the search strategy cannot heed."""
    low, high = options.min_latency_ms, options.max_latency_ms
    if options.search_strategy != "random":
        if low or high:
            yield (
                "--min_latency_ms and --max_latency_ms go with "
                "--search_strategy=random; a differentiable search has --latency_weight."
            )
        return
    if options.target_latency_ms:
        yield (
            "--target_latency_ms steers a differentiable search; --search_strategy=random "
            "takes --min_latency_ms and --max_latency_ms."
        )
    if high and high < low:
        yield (f"--max_latency_ms={high} is below --min_latency_ms={low}; give a band.")
    if options.communication == "shared":
        yield (
            "--search_strategy=random draws every cell on its own; it cannot have "
            "--communication=shared. Leave one of them out."
        )


def search(options: SearchOptions) -> dict[str, Any]:
    """Searches; writes genotype, α, history, events and results.

    Returns:
        What `results.json` holds.

    Raises:
        InputError: bad options, data or table; a loss that became NaN.
        WorkerLost: another machine of a distributed search is gone.
    """
    options.check()
    refuse_finished(options.output_dir)
    if not options.latency_table:
        raise InputError(
            "--latency_table is missing: make one with lgcnet-measure-latency."
        )
    options = resolved(options)
    if options.search_strategy == "random":
        from lgcnet_tf.commands.random_search import random_search

        return random_search(options)
    return _differentiable_search(options)


def _differentiable_search(options: SearchOptions) -> dict[str, Any]:
    """Searches by gradients (Eq. 10); as `search`."""
    from lgcnet_tf.architecture_search.architecture import check_sampling
    from lgcnet_tf.architecture_search.build import build_search_model
    from lgcnet_tf.architecture_search.callbacks import SteerLatency, Temperature
    from lgcnet_tf.architecture_search.latency_target import (
        LatencyTarget,
        check_reachable,
    )
    from lgcnet_tf.architecture_search.observer import Observer
    from lgcnet_tf.architecture_search.verdict import verdict
    from lgcnet_tf.guidance.communication import cell_kinds
    from lgcnet_tf.latency.estimate import CostModel
    from lgcnet_tf.model.network import Network
    from lgcnet_tf.training.run import training_run

    with training_run(options, "search", wide_graphs=True) as run:
        check_sampling(options.sampling, run.strategy.num_replicas_in_sync)
        target_us = 1000.0 * options.target_latency_ms
        samples = run.data.samples
        watched = next(iter(run.data.validation.values()), None)
        skeleton = options.skeleton(samples.info.num_classes)
        table = LatencyTable.load(options.latency_table)
        cost_model = CostModel(table, skeleton, options.input_size)
        if target_us:
            reductions = [spec.reduction for spec in skeleton.cells]
            with saying_what_to_turn():
                check_reachable(
                    target_us, cost_model, cell_kinds(options.communication, reductions)
                )
        inputs = input_file("--latency_table", options.latency_table)
        folder = run.open_folder(inputs | training_inputs(options))
        keep_table(options.latency_table, folder)
        if options.pictures_every and watched is None:
            for note in run.data.notes:
                folder.log.info("%s", note)
        steps = options.epochs * steps_per_epoch(samples, options.batch_size)
        weights = class_weights(samples, options.class_weights, options.class_weights_c)
        with run.strategy.scope():
            model = build_search_model(options, skeleton, cost_model, steps, weights)
        temperatures = options.temperature, options.temperature_final
        callbacks = [Temperature(model, options.epochs, *temperatures)]
        if target_us:
            target = LatencyTarget(target_us, steps, options.latency_form)
            model.latency_multiplier.assign(target.start(options.latency_weight))
            callbacks.append(SteerLatency(model, target))
        observer = Observer(
            model, folder, options, watched if options.pictures_every else None
        )
        run.announce(model.network, samples, {})
        history = run.fit(model, samples, callbacks=callbacks, measures=[observer])
        if not run.worker.chief:
            return history[-1]
        derived = _derive(model, options, table, cost_model)
        genotype = dataclasses.replace(derived.genotype, classes=samples.info)
        genotype.provenance[SEARCHED_ON] = [run.data.record()]
        genotype.provenance["dataset"] = samples.info.name
        if target_us:
            folder.log.info(
                "target %.4g ms: predicted %.4g ms, edges changed for it: %d",
                options.target_latency_ms,
                genotype.provenance["predicted_latency_ms"],
                derived.edges_changed,
            )
        if not derived.has_path:
            folder.log.warning(
                "the largest α' let nothing through: operations other than none were "
                "taken on %d edges where the search was least sure; leave none out of "
                "the candidates or search for longer",
                derived.edges_changed,
            )
        network = Network.derived(genotype, options.crop_size)
        genotype.save(folder / GENOTYPE)
        with atomic_write(folder / ALPHAS) as temporary:
            np.savez(temporary, **{PROBABILITIES: model.architecture.probabilities()})
        changed = {}
        if target_us:
            changed["edges_changed_for_target"] = derived.edges_changed
        elif not derived.has_path:
            changed["edges_changed"] = derived.edges_changed
        found = observer.conclusion()
        edges = len(searched_edges(skeleton))
        return finish(
            folder,
            {
                "predicted_latency_ms": genotype.provenance["predicted_latency_ms"],
                **changed,
                "operations": operation_counts(genotype),
                "params": network.count_params(),
                "epochs": len(history),
                **found,
                "verdict": verdict(found, edges, options.epochs),
                "last_epoch": history[-1],
            },
            folder / GENOTYPE,
        )


def _derive(model, options, table, cost_model) -> "Derived":
    import keras

    from lgcnet_tf.architecture_search.derive import derive
    from lgcnet_tf.latency.estimate import prediction

    target_us = 1000.0 * options.target_latency_ms
    architecture = model.architecture
    alpha = keras.ops.convert_to_numpy(architecture.updated())
    kinds = architecture.communication.kinds
    derived = derive(alpha, cost_model, kinds, target_us or None)
    provenance = {
        "dataset": options.dataset,
        "input_size": list(options.input_size),
        "latency_weight": options.latency_weight,
        "latency_form": options.latency_form,
        "communication": options.communication,
        "seed": options.seed,
        **prediction(derived.genotype, cost_model, table, options.target_latency_ms),
    }
    genotype = dataclasses.replace(derived.genotype, provenance=provenance)
    return dataclasses.replace(derived, genotype=genotype)
