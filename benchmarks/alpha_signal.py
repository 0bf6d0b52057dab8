"""How much of a step's gradient of α is signal, by sampling and temperature.

    python benchmarks/alpha_signal.py SEARCH_FOLDER
    python benchmarks/alpha_signal.py SEARCH_FOLDER --quick

Takes the supernet and α of a search's last checkpoint and, without stepping weights or
α, the gradients of α of many training batches, each with noise of its own. Needs Keras on
TensorFlow, and a search without hard sampling, which keeps no batch statistics. Half of them
and the other half have independent noise, so the product of the halves' means is the
square of the mean gradient without bias.

The last line printed is JSON, by sampling and temperature: `signal`, that square over the
gradient's variance from step to step, mean over the coordinates of α; `by_adam`, the
same square where each coordinate is first divided by its root mean square, as Adam does:
the square of how far a step goes in the right direction, of 1; `halves`, the correlation
of the halves' means; `step_s`, the median step.
"""

import argparse
import json
import pathlib
import sys
import time

import numpy as np


def parse_arguments(arguments=None):
    """The options; `--quick` changes the default of `--steps`."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("search", type=pathlib.Path, help="folder of a search, finished or not")
    add("--samplings", default="soft,per_image")
    add("--temperatures", default="1,0.5,0.2,0.05")
    add("--steps", type=int, default=64, help="for each sampling and temperature")
    add("--quick", action="store_true", help="4 steps each")
    if parser.parse_args(arguments).quick:
        parser.set_defaults(steps=4)
    options = parser.parse_args(arguments)
    if options.steps < 4 or options.steps % 2:
        parser.error(f"--steps must be even and at least 4. Received: {options.steps}")
    if not (options.search / "flags.txt").is_file():
        parser.error(f"{options.search}: no flags.txt there; name a search's folder.")
    return options


def search_options(folder):
    """The options of the search in a folder."""
    from absl import flags

    from lgcnet_tf.bin.flags import define_flags, options_from_flags
    from lgcnet_tf.commands.search import SearchOptions
    from lgcnet_tf.run_folder import FLAGS

    define_flags(SearchOptions)
    flags.FLAGS([sys.argv[0], f"--flagfile={folder / FLAGS}"])
    return options_from_flags(SearchOptions)


def restored(options, folder, samples):
    """The search's model as its last checkpoint has it."""
    from lgcnet_tf.architecture_search.build import build_search_model
    from lgcnet_tf.data.class_weights import class_weights
    from lgcnet_tf.latency.estimate import CostModel
    from lgcnet_tf.latency.table import LatencyTable
    from lgcnet_tf.run_folder import CHECKPOINTS
    from lgcnet_tf.training.checkpoint import load_checkpoint, restore

    skeleton = options.skeleton(samples.info.num_classes)
    table = LatencyTable.load(options.latency_table)
    cost_model = CostModel(table, skeleton, options.input_size)
    weights = class_weights(samples, options.class_weights, options.class_weights_c)
    model = build_search_model(options, skeleton, cost_model, 1, weights)
    restore(model, load_checkpoint(folder / CHECKPOINTS))
    return model


def gradients(model, batches):
    """Of α, (steps, coordinates), and seconds of each step; no variable is stepped."""
    import tensorflow as tf

    alpha = model.architecture.alpha

    @tf.function(autograph=False)
    def gradient(images, labels):
        with tf.GradientTape() as tape:
            logits = model(images, training=True)
            loss = model.compute_loss(x=images, y=labels, y_pred=logits, training=True)
        return tape.gradient(loss, alpha.value)

    found, times = [], []
    for images, labels in batches:
        start = time.perf_counter()
        found.append(gradient(tf.constant(images), tf.constant(labels)).numpy())
        times.append(time.perf_counter() - start)
    return np.reshape(found, (len(found), -1)), times


def figures(found, times):
    """Signal and noise of gradients (steps, coordinates)."""

    def signal(each):
        return (each[0::2].mean(0) * each[1::2].mean(0)).mean()

    found = found[:, found.any(0)]  # without what edges have not
    size = np.sqrt(np.square(found).mean(0))
    halves = np.corrcoef(found[0::2].mean(0), found[1::2].mean(0))[0, 1]
    return {
        "signal": round(float(signal(found) / found.var(0, ddof=1).mean()), 4),
        "by_adam": round(float(signal(found / size)), 4),
        "halves": round(float(halves), 3),
        "step_s": round(float(np.median(times)), 3),
    }


def main(options):
    """The figures of every sampling and temperature."""
    import dataclasses

    import keras

    from lgcnet_tf.data.pipeline import training_batches
    from lgcnet_tf.training.data import load_training_data
    from lgcnet_tf.training.graphs import prepare_graphs

    of_search = search_options(options.search)
    if of_search.sampling == "hard":
        raise SystemExit(
            f"{options.search}: of hard sampling, which cannot be measured."
        )
    prepare_graphs(wide=True)
    samples = load_training_data(of_search).samples
    results = {}
    for sampling in options.samplings.split(","):
        keras.utils.clear_session()
        model = restored(
            dataclasses.replace(of_search, sampling=sampling), options.search, samples
        )
        for temperature in map(float, options.temperatures.split(",")):
            model.temperature.assign(temperature)
            batches = training_batches(
                samples,
                of_search.batch_size,
                of_search.crop_size,
                of_search.seed,
                epochs=options.steps,
                scale_range=(of_search.scale_min, of_search.scale_max),
            )
            first = (batch for batch, _ in zip(batches, range(options.steps)))
            name = f"{sampling} {temperature:g}"
            results[name] = figures(*gradients(model, first))
            print(f"{name}: {results[name]}", file=sys.stderr)
    return results


if __name__ == "__main__":
    print(json.dumps(main(parse_arguments())))
