"""One search step on N replicas against the same step on one.

The same global batch, N devices of the CPU, with and without clipping of the
gradients: by how much do weights, statistics of the normalisation, α, the
modules between cells and the logged figures differ after the step?

    python benchmarks/replicas.py [--quick]

Takes a cell of every form (five: 0, a reduction and one after it, twice), the
GCN-guided modules between them and the dense fusion cell, a quarter of the
paper's width, and images of 64x128; `--quick` a single cell on 32x64 and two
replicas. A graph of 14 cells on four replicas would take most of an hour on two
cores. Latencies are random, as only their gradients matter. Prints one line of
JSON: `max_difference`
over everything, and by clipping, count of replicas and kind; `clipped_by` is
the factor by which clipping shortened the step of the weights.
"""

import argparse
import json
import os
import pickle
import subprocess
import sys
import tempfile
import time

import common

REPLICAS = (1, 2, 4)
CLIP_NORM = 0.1
KINDS = ("network", "moving_", "alpha", "communication", "logs")


def make_options(quick, clip_norm):
    from lgcnet_tf.commands.search import SearchOptions

    size = (64, 128)
    space = {
        "initial_channels": 2,
        "fusion_channels": 12,
        "num_cells": 5,
        "reduction_cells": (1, 3),
        "fusion_taps": (0, 2, 4),
    }
    if quick:
        size = (32, 64)
        space = {
            "initial_channels": 2,
            "num_cells": 1,
            "reduction_cells": (),
            "fusion": "none",
            "communication": "none",
        }
    return SearchOptions(
        **space, input_size=size, crop_size=size, batch_size=4, clip_norm=clip_norm
    )


def make_batch(options, classes):
    """Coarse random images and labels with void unevenly over the images."""
    import numpy as np

    generator = np.random.default_rng(0)
    height, width = options.crop_size
    coarse = (options.batch_size, height // 8, width // 8)

    def enlarge(array):
        return array.repeat(8, axis=1).repeat(8, axis=2)

    images = enlarge(generator.integers(0, 256, (*coarse, 3))).astype("uint8")
    labels = enlarge(generator.integers(0, classes, coarse)).astype("int32")
    for index in range(options.batch_size):
        labels[index, : height * index // options.batch_size] = 255
    return images, labels


def step(strategy, options):
    """Every floating-point variable before and after a step, and its figures."""
    import keras
    import numpy as np
    import tensorflow as tf

    from lgcnet_tf.architecture_search.build import build_search_model
    from lgcnet_tf.latency.estimate import CostModel

    classes = 5
    skeleton = options.skeleton(classes)
    keras.utils.clear_session()  # or layers get other names
    table = common.random_table(skeleton, options.input_size)
    cost_model = CostModel(table, skeleton, options.input_size)
    with strategy.scope():
        model = build_search_model(options, skeleton, cost_model, steps=10)

    def state():
        arrays = {v.path: keras.ops.convert_to_numpy(v) for v in model.variables}
        return {
            path: array.astype("float64")
            for path, array in arrays.items()
            if np.issubdtype(array.dtype, np.floating)
        }

    before = state()
    batch = make_batch(options, classes)
    dataset = tf.data.Dataset.from_tensor_slices(batch).batch(options.batch_size)
    logs = model.fit(dataset, verbose=0, shuffle=False).history
    figures = {f"logs/{name}": np.float64(values[0]) for name, values in logs.items()}
    return before, state() | figures


def kind_of(path):
    return next((kind for kind in KINDS[1:] if kind in path), "network")


def differences(one, other):
    """The largest difference by kind."""
    import numpy as np

    largest = dict.fromkeys(KINDS, 0.0)
    for path, array in one.items():
        kind = kind_of(path)
        largest[kind] = max(largest[kind], float(np.abs(array - other[path]).max()))
    return largest


def measure(replicas, quick, target):
    """One process' part: steps without and with clipping, into a file."""
    import tensorflow as tf

    from lgcnet_tf.training.strategy import make_strategy

    # Each graph is run once: it does not pay to optimise it.
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    strategy = make_strategy([f"CPU:{number}" for number in range(replicas)])
    found = {
        clip_norm: step(strategy, make_options(quick, clip_norm))
        for clip_norm in (0.0, CLIP_NORM)
    }
    with open(target, "wb") as file:
        pickle.dump(found, file)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--replicas", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--target", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.replicas:
        measure(arguments.replicas, arguments.quick, arguments.target)
        return
    import numpy as np

    counts = REPLICAS[:2] if arguments.quick else REPLICAS
    environment = os.environ | {
        "CUDA_VISIBLE_DEVICES": "-1",
        "TF_CPP_MIN_LOG_LEVEL": "2",
    }
    results = {}
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        # A device can belong to one strategy of a process only.
        processes = {
            replicas: subprocess.Popen(
                [sys.executable, *sys.argv]
                + [f"--replicas={replicas}", f"--target={folder}/{replicas}"],
                env=environment,
            )
            for replicas in counts
        }
        for replicas, process in processes.items():
            if process.wait():
                raise SystemExit(f"replicas={replicas} failed: {process.returncode}")
            with open(f"{folder}/{replicas}", "rb") as file:
                results[replicas] = pickle.load(file)
            took = time.monotonic() - started
            print(f"replicas={replicas}: {took:.0f} s", file=sys.stderr, flush=True)

    def moved(clip_norm):
        before, after = results[1][clip_norm]
        squares = [
            np.square(after[path] - array).sum()
            for path, array in before.items()
            if kind_of(path) == "network"
        ]
        return float(np.sqrt(sum(squares)))

    found = {
        f"clip_norm={clip_norm:g} replicas={replicas}": differences(
            results[1][clip_norm][1], results[replicas][clip_norm][1]
        )
        for clip_norm in (0.0, CLIP_NORM)
        for replicas in counts[1:]
    }
    kinds = {kind: max(each[kind] for each in found.values()) for kind in KINDS}
    print(
        json.dumps(
            {
                "max_difference": max(kinds.values()),
                "by_kind": kinds,
                "by_run": {name: max(each.values()) for name, each in found.items()},
                "clipped_by": moved(CLIP_NORM) / moved(0.0),
                "quick": arguments.quick,
            }
        )
    )


if __name__ == "__main__":
    main()
