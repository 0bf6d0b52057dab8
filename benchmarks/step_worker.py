"""A training step in a process of its own: what step benchmarks run in turns.

python benchmarks/step_worker.py VARIANT SIZE BATCH_SIZE [--quick]
"""

import contextlib
import ctypes
import json
import os
import pathlib
import re
import resource
import subprocess
import sys
import time
from unittest import mock

from lgcnet_tf.config import parse_size

VARIANTS = {
    "plain": {},
    "soft": {},
    "hard": {"sampling": "hard"},
    "remat": {"remat": True},
    "mixed": {"mixed_precision": True},
    "finetune": {},
}
"""Options of each; `plain` is the soft search by `plain_supernet.py`."""

QUICK_SPACE = {
    "num_cells": 4,
    "reduction_cells": (1, 2),
    "fusion_taps": (0, 1, 2),
}


class Worker:
    """A process that builds one variant and steps when it is told to.

    A variant `soft:0` is `soft` without oneDNN's kernels, `soft:1` with them.

    Attributes:
        built: figures after building: `peak_mib`, `build_s`, `build_cpu_s`.
    """

    def __init__(self, variant, size, batch_size, quick=False):
        variant, _, onednn = variant.partition(":")
        command = [sys.executable, __file__, variant, size, str(batch_size)]
        self.process = subprocess.Popen(
            command + ["--quick"] * quick,
            env=os.environ | ({"TF_ENABLE_ONEDNN_OPTS": onednn} if onednn else {}),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.built = self._answer()

    def _answer(self):
        for line in self.process.stdout:
            if line.startswith("{"):
                return json.loads(line)
        raise SystemExit(f"{' '.join(self.process.args)} failed.")

    def step(self):
        """Does one step; returns `step_s`, `step_cpu_s`, `peak_mib`."""
        self.process.stdin.write("step\n")
        self.process.stdin.flush()
        return self._answer()

    def stop(self):
        """Ends the process."""
        self.process.stdin.close()
        self.process.wait()


class SumOfWeights:
    """Stands in for a `CostModel`: as differentiable, and needs no table."""

    def expected_latency(self, weights):
        from keras import ops

        return 1000.0 + ops.sum(weights)


def make_options(variant, size, batch_size, quick=False):
    from lgcnet_tf.commands.search import SearchOptions

    return SearchOptions(
        input_size=parse_size(size),
        crop_size=parse_size(size),
        batch_size=batch_size,
        **(QUICK_SPACE if quick else {}),
        **VARIANTS[variant],
    )


def make_batch(options):
    import numpy as np

    generator = np.random.default_rng(0)
    shape = (options.batch_size, *options.crop_size)
    images = generator.integers(0, 256, (*shape, 3), np.uint8)
    return images, generator.integers(0, 11, shape).astype("int32")


def make_model(variant, options):
    """The compiled model that the variant trains."""
    from plain_supernet import PlainSupernet

    from lgcnet_tf.architecture_search import build

    skeleton = options.skeleton(11)
    if variant == "finetune":
        return _finetuned(skeleton, options.crop_size)

    def network(skeleton, size, **_):
        return PlainSupernet(skeleton, size)

    change = mock.patch.object(build.Network, "supernet", network)
    with change if variant == "plain" else contextlib.nullcontext():
        return build.build_search_model(options, skeleton, SumOfWeights(), steps=100)


def _finetuned(skeleton, size):
    import numpy as np

    from lgcnet_tf.model.network import Network
    from lgcnet_tf.space.genotype import Genotype, fusion_candidates
    from lgcnet_tf.training.fit import compile_for_segmentation
    from lgcnet_tf.training.losses import CrossEntropy
    from lgcnet_tf.training.optimizers import SGD

    draw = np.random.default_rng(0).integers
    fusion = [draw(len(names)) for names in fusion_candidates(skeleton).values()]
    cells = draw(1, 8, (skeleton.num_cells, 5))
    genotype = Genotype.at(skeleton, skeleton.joined(cells, fusion))
    network = Network(skeleton, size, genotype)
    compile_for_segmentation(
        network, SGD(0.01, momentum=0.9, l2=5e-4), CrossEntropy(), skeleton.num_classes
    )
    return network


def peak_mib():
    """The process' peak in MiB: of the first GPU's memory if any, else RSS."""
    import keras

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        if tf.config.list_physical_devices("GPU"):
            return tf.config.experimental.get_memory_info("GPU:0")["peak"] / 2**20
    status = pathlib.Path("/proc/self/status")
    if status.exists():  # getrusage's figure starts with that of the parent
        (line,) = re.findall(r"VmHWM:\s+(\d+) kB", status.read_text())
        return int(line) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


class _Mallinfo(ctypes.Structure):
    """glibc's `struct mallinfo2`."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in [
            "arena",
            "ordblks",
            "smblks",
            "hblks",
            "hblkhd",
            "usmblks",
            "fsmblks",
            "uordblks",
            "fordblks",
            "keepcost",
        ]
    ]


def memory():
    """Where the process stands, in MiB; Linux with glibc only.

    Returns:
        `peak` since the last call; `resident`, which is `anonymous` and
        `of_files` (libraries); of the anonymous what malloc has in use and what
        it holds free. The rest of it is Python's and the libraries' data.
    """
    status = pathlib.Path("/proc/self/status").read_text()
    kinds = {
        "peak": "VmHWM",
        "resident": "VmRSS",
        "anonymous": "RssAnon",
        "of_files": "RssFile",
    }
    found = {
        name: int(re.search(rf"{kind}:\s+(\d+) kB", status)[1]) / 1024
        for name, kind in kinds.items()
    }
    pathlib.Path("/proc/self/clear_refs").write_text("5")
    mallinfo = ctypes.CDLL(None).mallinfo2
    mallinfo.restype = _Mallinfo
    info = mallinfo()
    found["in_use"] = (info.uordblks + info.hblkhd) / 2**20
    found["held_free"] = info.fordblks / 2**20
    return {name: round(mib) for name, mib in found.items()}


def timed(function, name):
    started, cpu = time.monotonic(), time.process_time()
    result = function()
    figures = {
        f"{name}_s": time.monotonic() - started,
        f"{name}_cpu_s": time.process_time() - cpu,
        "peak_mib": peak_mib(),
    }
    return result, figures


def work(variant, size, batch_size, quick):
    """A line of JSON after building, then one for each line read."""
    options = make_options(variant, size, batch_size, quick)
    if variant != "plain":
        from lgcnet_tf.training.graphs import prepare_graphs

        prepare_graphs(wide=variant != "finetune")
    model, figures = timed(lambda: make_model(variant, options), "build")
    images, labels = make_batch(options)
    print(json.dumps(figures), flush=True)
    for _ in sys.stdin:
        _, figures = timed(lambda: model.train_on_batch(images, labels), "step")
        print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    work(*sys.argv[1:3], int(sys.argv[3]), "--quick" in sys.argv)
