"""Memory and time of a search step: soft, hard, rematerialised, mixed precision.

    python benchmarks/memory.py [--quick] [--batch_size=4] [--size=128x128]

Every variant has a process of its own that trains the supernet on random
images. Its memory is the process' peak (RSS) less the peak of a process that
only built the supernet, so it holds the graph, the gradients and the
activations; on a GPU it is TensorFlow's own peak there. Steps are timed in
turns, one of each variant after the other, and the median is taken; the first
step, which traces and prepares the graph, stands by itself.

The last line is JSON: for each variant `memory_mib`, `step_s`, `first_step_s`,
and `ratios` of memory and time to the soft search.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time

from lgcnet_tf.config import parse_size

VARIANTS = {
    "soft": {},
    "hard": {"sampling": "hard"},
    "soft+remat": {"remat": True},
    "soft+mixed": {"mixed_precision": True},
}
QUICK_SPACE = {"num_cells": 3, "reduction_cells": (1,), "fusion": "none"}


class SumOfWeights:
    """Stands in for a `CostModel`: as differentiable, and needs no table."""

    def expected_latency(self, weights):
        from keras import ops

        return 1000.0 + ops.sum(weights["cells"])


class Worker:
    """A process that builds one variant and steps when it is told to."""

    def __init__(self, variant, arguments):
        command = [sys.executable, __file__, f"--worker={variant}"]
        command += [f"--{k}={v}" for k, v in vars(arguments).items() if k != "worker"]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

        self.built = self._answer()

    def _answer(self):
        for line in self.process.stdout:
            if line.startswith("{"):
                return json.loads(line)
        raise SystemExit(f"{' '.join(self.process.args)} failed.")

    def step(self):
        """Does one step; returns its figures."""
        self.process.stdin.write("step\n")
        self.process.stdin.flush()
        return self._answer()

    def stop(self):
        """Ends the process."""
        self.process.stdin.close()
        self.process.wait()


def work(arguments):
    """A worker's side: a line of JSON after building, then one for each step."""
    import keras
    import numpy as np

    from lgcnet_tf.search.search import SearchOptions, build_search_model

    size = parse_size(arguments.size)
    space = QUICK_SPACE if arguments.cells == "few" else {}
    options = SearchOptions(
        input_size=size,
        crop_size=size,
        batch_size=arguments.batch_size,
        **space,
        **VARIANTS.get(arguments.worker, {}),
    )
    skeleton = options.skeleton(11)
    model = build_search_model(options, skeleton, SumOfWeights(), steps=100)
    generator = np.random.default_rng(0)
    shape = (arguments.batch_size, *size)
    images = generator.integers(0, 256, (*shape, 3), np.uint8)
    labels = generator.integers(0, 11, shape).astype("int32")
    print(json.dumps({"peak_mib": peak_mib(keras.backend.backend())}), flush=True)
    for _ in sys.stdin:
        started, cpu = time.monotonic(), time.process_time()
        model.train_on_batch(images, labels)
        figures = {
            "seconds": time.monotonic() - started,
            "cpu_seconds": time.process_time() - cpu,
            "peak_mib": peak_mib(keras.backend.backend()),
        }
        print(json.dumps(figures), flush=True)


def peak_mib(backend):
    """The process' peak in MiB: of the first GPU's memory if any, else RSS."""
    if backend == "tensorflow":
        import tensorflow as tf

        if tf.config.list_physical_devices("GPU"):
            return tf.config.experimental.get_memory_info("GPU:0")["peak"] / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--quick", action="store_true", help="three cells, 64x64, two variants")
    add("--batch_size", type=int, default=4)
    add("--size", default="")
    add("--steps", type=int, default=10, help="timed steps of each variant")
    add("--variants", default="")
    add("--cells", default="", help=argparse.SUPPRESS)
    add("--worker", default="", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        return work(arguments)
    quick = vars(arguments).pop("quick")
    arguments.size = arguments.size or ("64x64" if quick else "128x128")
    arguments.cells = "few" if quick else "all"
    names = arguments.variants or ("soft,hard" if quick else ",".join(VARIANTS))

    built = Worker("built", arguments)
    base = built.built["peak_mib"]
    built.stop()
    workers, figures = {}, {}
    for name in names.split(","):
        workers[name] = Worker(name, arguments)
        first = workers[name].step()
        figures[name] = {
            "first_step_s": round(first["seconds"], 1),
            "first_step_cpu_s": round(first["cpu_seconds"], 1),
        }
        print(name, figures[name], flush=True)
    steps = {name: [] for name in workers}
    for _ in range(arguments.steps):
        for name, worker in workers.items():
            steps[name].append(worker.step())
    for name, worker in workers.items():
        worker.stop()
        for key, field in (("step_s", "seconds"), ("step_cpu_s", "cpu_seconds")):
            figures[name][key] = statistics.median(step[field] for step in steps[name])
            figures[name][key] = round(figures[name][key], 4)
        figures[name]["memory_mib"] = round(steps[name][-1]["peak_mib"] - base, 1)
    ratios = {
        name: {
            key: round(f[key] / figures["soft"][key], 3)
            for key in ("memory_mib", "step_s", "step_cpu_s")
        }
        for name, f in figures.items()
        if "soft" in figures
    }
    setting = {k: getattr(arguments, k) for k in ("batch_size", "size", "cells")}
    print(json.dumps({**setting, "built_mib": round(base), **figures, "ratios": ratios}))


if __name__ == "__main__":
    main()
