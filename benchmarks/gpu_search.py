"""The search of `gpu_camvid.py`: the soft supernet, captured, at the paper's rates."""

import dataclasses
import datetime
import math
import time

SHARE = 0.45
"""Of the whole time that the search may take at most; it then ends early."""

STEER_EVERY = 10
"""Steps from one look at the latency to the next: each waits for the GPU."""

KEEP_EVERY = 200
"""Steps from one writing of what is found to the next; the first is after one step."""


def search(experiment):
    """Searches on the experiment's training data; returns the genotype."""
    import gpu_camvid
    import keras
    import numpy as np
    import torch

    from lgcnet_tf.architecture_search.architecture import Architecture
    from lgcnet_tf.architecture_search.derive import derive
    from lgcnet_tf.architecture_search.joint_optimizer import JointOptimizer
    from lgcnet_tf.architecture_search.latency_target import (
        LatencyTarget,
        check_reachable,
        steer,
    )
    from lgcnet_tf.architecture_search.search_model import SearchModel
    from lgcnet_tf.architecture_search.settings import FINAL_TEMPERATURE as FINAL
    from lgcnet_tf.architecture_search.settings import INITIAL_TEMPERATURE as INITIAL
    from lgcnet_tf.errors import InputError
    from lgcnet_tf.files import atomic_write
    from lgcnet_tf.guidance.communication import Communication, cell_kinds
    from lgcnet_tf.guidance.settings import WIDTH, guidance_rate
    from lgcnet_tf.latency.estimate import CostModel, LatencyLoss
    from lgcnet_tf.latency.settings import LATENCY_WEIGHT
    from lgcnet_tf.latency.table import LatencyTable
    from lgcnet_tf.model.network import Network
    from lgcnet_tf.model.precision import precision
    from lgcnet_tf.space.choices import PROBABILITIES
    from lgcnet_tf.training.losses import CrossEntropy
    from lgcnet_tf.training.optimizers import SGD, Adam
    from lgcnet_tf.training.torch_augment import Parameters
    from lgcnet_tf.training.torch_steps import Captured, train_step

    options, steps = experiment.options, experiment.options.search_steps
    classes = experiment.info.num_classes
    table = (
        LatencyTable.load(options.latency_table)
        if options.latency_table
        else toy_table(classes)
    )
    skeleton = table.skeleton
    if skeleton.num_classes != classes:
        raise InputError(
            f"--latency_table={options.latency_table} is of {skeleton.num_classes} "
            f"classes; {options.dataset} has {classes}."
        )
    costs = CostModel(table, skeleton, table.input_size)
    target_us = 1000.0 * options.target_latency_ms
    if target_us:
        kinds = cell_kinds("ggm", [spec.reduction for spec in skeleton.cells])
        check_reachable(target_us, costs, kinds)
    crop = gpu_camvid.numbers(options.search_crop)
    keras.utils.set_random_seed(options.seed)
    with precision(options.mixed_precision):
        network = Network(skeleton, crop)
    architecture = Architecture(skeleton, seed=options.seed)
    loss = LatencyLoss(LATENCY_WEIGHT, target_us=target_us or None)
    model = SearchModel(network, architecture, costs, loss)
    weights = SGD(0.025, momentum=0.9, l2=1e-3)
    modules_lr = guidance_rate(1e-3, WIDTH, skeleton.num_cells)
    optimizer = JointOptimizer(
        weights,
        {
            Architecture.SCOPE: Adam(1e-3, beta_1=0.5, l2=1e-4),
            Communication.SCOPE: Adam(modules_lr, beta_1=0.5, l2=1e-4),
        },
    )
    model.compile(optimizer, CrossEntropy(experiment.info.void_label))
    optimizer.build(model.trainable_variables)
    groups = optimizer.groups(model.trainable_variables)
    target = target_us and LatencyTarget(target_us, max(1, steps // STEER_EVERY))
    if target:
        model.latency_multiplier.assign(target.start(LATENCY_WEIGHT))
    parameters = Parameters(
        experiment.train, experiment.data.size, crop, options.batch_size, options.seed,
        (options.scale_min, options.scale_max),
    )  # fmt: skip
    generator = torch.Generator(experiment.device).manual_seed(options.seed)
    tiny = keras.config.epsilon()

    def draw():
        shape = tuple(architecture.alpha.shape)
        uniform = torch.rand(shape, generator=generator, device=experiment.device)
        return architecture.gumbel(uniform.clamp_(tiny, 1.0 - tiny))

    def function(drawn, noise):
        images, labels = experiment.data.crops(drawn, crop)
        return train_step(model, groups, images, labels, noise=noise)

    def keep():
        """Derives from α as it is; writes its genotype and probabilities."""
        alpha = keras.ops.convert_to_numpy(architecture.updated())
        kinds = architecture.communication.kinds
        derived = derive(alpha, costs, kinds, target_us if target else None)
        provenance = {
            "dataset": options.dataset,
            "input_size": list(table.input_size),
            "latency_table": table.table_id,
            "seed": options.seed,
            "predicted_latency_ms": costs.predicted_latency(derived.genotype) / 1000.0,
        }
        if target:
            provenance["target_latency_ms"] = options.target_latency_ms
        genotype = dataclasses.replace(derived.genotype, provenance=provenance)
        genotype.save(experiment.folder / "genotype.json")
        with atomic_write(experiment.folder / "alphas.npz") as temporary:
            np.savez(temporary, **{PROBABILITIES: architecture.probabilities()})
        return dataclasses.replace(derived, genotype=genotype)

    variables = {id(v): v for v in (*model.variables, *optimizer.variables)}
    state = [v.value for v in variables.values()]
    state += [v.value for v in model.metrics_variables]
    first = [parameters[0].to(experiment.device), draw()]
    step = Captured(function, first, state)
    experiment.mark("search_captured_s")
    begin = time.monotonic()
    limit = SHARE * 60 * options.minutes
    for number in range(steps):
        now = time.monotonic()
        done = max(number / steps, (now - begin) / limit)
        if done >= 1.0:
            break
        weights.learning_rate = 0.001 + 0.012 * (1.0 + math.cos(math.pi * done))
        model.temperature.assign(INITIAL * (FINAL / INITIAL) ** done)
        loss_now = step(parameters[number], draw())
        if number % STEER_EVERY == 0 and not math.isfinite(float(loss_now)):
            raise InputError(
                f"the loss of the search became {float(loss_now)} at step {number}."
            )
        if target and number % STEER_EVERY == 0:
            steer(model, target)
        if number % KEEP_EVERY == 0:
            print(f"search step {number}: loss {float(loss_now):.4f}", flush=True)
            keep()
    experiment.timings["search_steps"] = number + 1
    experiment.timings["search_step_ms"] = round(
        1000 * (time.monotonic() - begin) / (number + 1), 3
    )
    found = keep()
    if target:
        experiment.timings["edges_changed_for_target"] = found.edges_changed
    experiment.mark("searched_s")
    return found.genotype


def toy_table(classes):
    """A table of a tiny space, in which every operation takes as long."""
    from lgcnet_tf.latency.table import LatencyEntry, LatencyTable, timed
    from lgcnet_tf.space import Skeleton
    from lgcnet_tf.space.workloads import space_id

    size = (32, 64)
    skeleton = Skeleton(
        num_classes=classes, initial_channels=2, num_cells=3, reduction_cells=(1, 2),
        fusion_taps=(0, 1, 2), fusion_channels=4,
    )  # fmt: skip
    return LatencyTable(
        entries={
            work.key: LatencyEntry(100.0, 1.0, 10) for work in timed(skeleton, size)
        },
        device="none",
        runtime="keras_backend",
        runtime_version="0",
        precision="float32",
        threads=1,
        input_size=size,
        skeleton=skeleton,
        space_id=space_id(skeleton, size),
        date=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        noise=0.1,
    )
