"""A search step against its plain form: time, memory, first step, equality.

    python benchmarks/search_step.py [--quick] [--batch_size=4] [--size=128x128]
    python benchmarks/search_step.py --variants=soft:0,soft:1,hard:0,hard:1,finetune:0,finetune:1
    python benchmarks/search_step.py --compare
    python benchmarks/search_step.py --profile=soft
    python benchmarks/search_step.py --profile_memory=soft

The plain form (`plain_supernet.py`) is one standard Keras layer after another
for each candidate of each edge; architecture, head, fusion cell, losses and
optimisers are the same. Every variant has a process of its own that trains on random images.
Steps are timed in turns, one of each variant after the other. `peak_mib` is the
process' peak (RSS; on a GPU TensorFlow's own), `memory_mib` what of it came
after the supernet was built. The first step, which traces and optimises the
graph, stands by itself.

With `--compare` both supernets get the same weights, images and Z: `difference` is
the largest of the relative errors of the logits, of the gradients of Z and of
each weight, and of the statistics. `difference_by_rounding` is what becomes of
the plain form's own numbers if its images change by one float32 rounding: with
14 cells of ReLUs and batch norms, gradients are that sensitive.

The last line is JSON: for each variant medians, and `ratio` of the first one, as plain,
to it (time, the higher the better) and of it to the first one (memory).
"""

import argparse
import json
import os
import statistics

from common import print_operation_times, product_rate
from step_worker import (
    VARIANTS,
    Worker,
    make_batch,
    make_model,
    make_options,
    memory,
)


def difference(arguments):
    """Largest relative error of any array between the two forms."""
    import numpy as np
    import tensorflow as tf
    from keras import ops

    from lgcnet_tf.training.losses import CrossEntropy

    options = make_options(
        "soft", arguments.size, arguments.batch_size, arguments.quick
    )
    ours, plain = (make_model(name, options).network for name in ("soft", "plain"))
    pairs = plain.pairs(ours)
    for mine, theirs in pairs:
        theirs.assign(mine)
    images, labels = make_batch(options)
    mask = ours.skeleton.candidate_mask
    z = np.random.default_rng(1).exponential(size=mask.shape) * mask
    z = tf.constant((z / z.sum(-1, keepdims=True)).astype("float32"))
    trained = [i for i, (mine, _) in enumerate(pairs) if mine.trainable]
    before = [[pair[side].numpy() for pair in pairs] for side in (0, 1)]

    def step(side, images):
        network = (ours, plain)[side]
        variables = [pairs[i][side].value for i in trained]
        for pair, value in zip(pairs, before[side]):
            pair[side].assign(value)

        @tf.function(autograph=False, jit_compile=False)
        def run(images):
            with tf.GradientTape() as tape:
                tape.watch(z)
                logits = network(images, weights=z, training=True)
                loss = ops.mean(CrossEntropy()(labels, logits))
            gradients = tape.gradient(loss, [z, variables])
            return logits, gradients

        found = [a.numpy() for a in tf.nest.flatten(run(images))]
        return found + [pair[side].numpy() for pair in pairs]

    names = ["logits", "Z"]
    names += [pairs[i][0].path for i in trained] + [mine.path for mine, _ in pairs]

    def compare(ones, others):
        gradients = others[1 : 1 + len(names) - len(pairs)]
        largest = max(np.linalg.norm(gradient) for gradient in gradients)
        errors = {}
        for name, a, b in zip(names, ones, others):
            # Statistics of what has mean 0 are nothing but rounding.
            floor = 1.0 if "moving_" in name else 1e-4 * largest
            error = np.linalg.norm(a - b) / max(np.linalg.norm(b), floor)
            errors[name] = max(errors.get(name, 0.0), float(error))
        return errors["logits"], max(errors.values())

    images = images.astype("float32")
    reference = step(1, images)
    logits, difference = compare(step(0, images), reference)
    _, rounding = compare(step(1, np.nextafter(images, 256, dtype="f")), reference)
    return {
        "logits_difference": logits,
        "difference": difference,
        "difference_by_rounding": rounding,
    }


def profile(arguments):
    """Prints where the time of a step goes, by kind of operation."""
    from lgcnet_tf.training.graphs import prepare_graphs

    if arguments.profile != "plain":
        prepare_graphs(wide=arguments.profile != "finetune")
    name = arguments.profile
    options = make_options(name, arguments.size, arguments.batch_size, arguments.quick)
    model = make_model(name, options)
    batch = make_batch(options)
    print_operation_times(name, lambda: model.train_on_batch(*batch))
    if name in ("plain", "soft", "remat"):
        macs = 3 * options.batch_size * forward_macs(options)
        print(f"{macs / 1e9:.1f} GMAC of convolutions, forward and backward")
    print(f"a matrix product of 1024: {product_rate():.0f} GMAC/s")


def forward_macs(options):
    """Multiply-accumulates of the whole mixture for one image."""
    import keras

    from lgcnet_tf.evaluation.macs import count_macs
    from lgcnet_tf.model.network import Network
    from lgcnet_tf.model.units import sublayers

    network = Network(options.skeleton(11), options.crop_size)
    z = network.skeleton.candidate_mask.astype("float32")
    for layer in sublayers(network):
        if hasattr(layer, "traces"):
            layer.traces = None  # each edge is called, not one of each form

    class Mixture(keras.Model):
        input_size = network.input_size

        def __init__(self):
            super().__init__()
            self.network = network

        def call(self, images, training=None):
            return network(images, weights=z)

    return count_macs(Mixture())


def profile_memory(arguments):
    """Prints where the process stands after each stage, in MiB."""
    stages = {}

    def stage(name):
        stages[name] = memory()
        print(f"{name:18s}", *(f"{k} {v:5d}" for k, v in stages[name].items()))

    stage("interpreter")
    import tensorflow as tf

    from lgcnet_tf.training.graphs import prepare_graphs

    stage("import tensorflow")
    name = arguments.profile_memory
    if name != "plain":
        prepare_graphs(wide=name != "finetune")
    options = make_options(name, arguments.size, arguments.batch_size, arguments.quick)
    model = make_model(name, options)
    batch = make_batch(options)
    stage("built")
    step = model.train_step

    def train_step(data):  # called while it is traced
        results = step(data)
        graph = tf.compat.v1.get_default_graph()
        print(f"{len(graph.get_operations())} operations and the functions they call")
        stage("traced")
        return results

    model.train_step = train_step
    model.train_on_batch(*batch)
    stage("first step")
    for _ in range(arguments.steps):
        model.train_on_batch(*batch)
    stage("later steps")
    print(json.dumps(stages))


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--quick", action="store_true", help="four cells, 64x64, two variants")
    add("--batch_size", type=int, default=4)
    add("--size", default="")
    add("--steps", type=int, default=15, help="timed steps of each variant")
    add("--variants", default="plain,soft,hard")
    add("--profile", default="", choices=VARIANTS, help="variant to profile instead")
    add("--profile_memory", default="", choices=VARIANTS, help="its memory, by stages")
    add("--compare", action="store_true", help="compare numbers, time nothing")
    arguments = parser.parse_args()
    arguments.size = arguments.size or ("64x64" if arguments.quick else "128x128")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if arguments.profile:
        return profile(arguments)
    if arguments.profile_memory:
        return profile_memory(arguments)
    if arguments.compare:
        print(json.dumps(difference(arguments)))
        return

    where = arguments.size, arguments.batch_size, arguments.quick
    workers = {name: Worker(name, *where) for name in arguments.variants.split(",")}
    figures, steps = {}, {name: [] for name in workers}
    for name, worker in workers.items():
        figures[name] = {"first_step_s": round(worker.step()["step_s"], 1)}
        print(name, figures[name], flush=True)
    for _ in range(arguments.steps):
        for name, worker in workers.items():
            steps[name].append(worker.step())
    for name, worker in workers.items():
        worker.stop()
        mine, peak = figures[name], steps[name][-1]["peak_mib"]
        for key in ("step_s", "step_cpu_s"):
            mine[key] = round(statistics.median(s[key] for s in steps[name]), 4)
        mine["images_per_s"] = round(arguments.batch_size / mine["step_s"], 1)
        mine["peak_mib"] = round(peak)
        mine["memory_mib"] = round(peak - worker.built["peak_mib"])
    result = dict(zip(("size", "batch_size", "quick"), where))
    first, *others = workers
    if others:
        for key in ("step_s", "step_cpu_s"):
            kind = "ratio" if key == "step_s" else "cpu_ratio"
            result[kind] = {
                name: round(
                    statistics.median(
                        a[key] / b[key] for a, b in zip(steps[first], steps[name])
                    ),
                    2,
                )
                for name in others
            }
        for key in ("peak_mib", "memory_mib"):
            result[f"{key}_ratio"] = {
                name: round(figures[name][key] / figures[first][key], 2)
                for name in others
            }
    print(json.dumps(result | figures))


if __name__ == "__main__":
    main()
