"""What the benchmarks share."""

import argparse
import itertools
import json
import pathlib
import subprocess
import sys

OPTIONS = "benchmark_options.json"
FIGURES = "benchmark_figures.json"


def begin(options, default):
    """The folder to work in: a new one, or one that holds a part of the same run.

    A run that ended has been printed; it is not printed again as if measured now.
    Where no `--output_dir` is given the folder is `default`, or `default_2` and so
    on where that one is taken.

    Args:
        options: of the benchmark, as argparse gives them.
        default: name of the folder, as in `runs/NAME`.
    """
    from lgcnet_tf.files import fingerprint, read_json, write_json

    own = {k: v for k, v in vars(options).items() if k != "output_dir"}
    if own.get("latency_table"):
        own["latency_table"] += f" ({fingerprint(own['latency_table'])})"
    own = json.loads(json.dumps(own))
    numbered = (f"{default}_{n}" if n > 1 else default for n in itertools.count(1))
    for name in [options.output_dir] if options.output_dir else numbered:
        folder = pathlib.Path(name)
        if folder.exists() and not folder.is_dir():
            reason = "not a folder"
        elif (folder / FIGURES).exists():
            reason = f"its run has ended; its figures are in {FIGURES}"
        elif (folder / OPTIONS).exists():
            if read_json(folder / OPTIONS) == own:
                return folder
            reason = "holds a run with other options"
        elif folder.exists() and any(folder.iterdir()):
            reason = "not empty, and what is in it may be of any time"
        else:
            write_json(folder / OPTIONS, own)
            return folder
    raise SystemExit(f"{folder}: {reason}. Name another --output_dir.")


def end(folder, figures):
    """Keeps what is printed: the run has ended. Returns it."""
    from lgcnet_tf.files import write_json

    write_json(folder / FIGURES, figures)
    return figures


def step(folder, command, *flags):
    """Runs a command as a process of its own, unless it is done; its results."""
    from lgcnet_tf.files import read_json
    from lgcnet_tf.run_folder import RESULTS

    if not (folder / RESULTS).exists():
        program = [sys.executable, "-m", "lgcnet_tf", command, *map(str, flags)]
        done = subprocess.run([*program, f"--output_dir={folder}"])
        if done.returncode:
            raise SystemExit(f"{folder}: lgcnet {command} failed, as said above.")
        if not (folder / RESULTS).exists():  # it was asked to stop
            raise SystemExit("stopped; the same command goes on.")
    return read_json(folder / RESULTS)


TOY_DATA = {
    "dataset": "toy_streets", "split": "train", "left_out": "", "validation_split": "val",
    "input_size": "32x64", "crop_size": "32x64",
}  # fmt: skip
"""What `--quick` has of the options of `data_parser`."""


def data_parser(description, quick):
    """A parser with the options that say what is trained on and measured.

    Args:
        description: the benchmark's docstring.
        quick: what its `--quick` means.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--quick", action="store_true", help=quick)
    add("--output_dir", default="")
    add("--data_dir", default="", help="folder of CamVid")
    add("--dataset", default="camvid")
    add("--split", default="train,val")
    add("--left_out", default="0006R0", help="the drive that is measured on")
    add("--validation_split", default="", help="measured on where nothing is left out")
    add("--input_size", default="360x480")
    add("--crop_size", default="240x320")
    return parser


def data_flags(options):
    """How the commands that train are told of the data."""
    flags = [
        f"--dataset={options.dataset}",
        f"--split={options.split}",
        f"--crop_size={options.crop_size}",
        f"--input_size={options.input_size}",
        f"--validation_split={options.validation_split}",
    ]
    flags += [f"--data_dir={options.data_dir}"] if options.data_dir else []
    return flags + ([f"--left_out={options.left_out}"] if options.left_out else [])


def random_table(skeleton, input_size, seed=0):
    """A latency table of a search space with random times, where only its form matters."""
    import numpy as np

    from lgcnet_tf.latency.table import LatencyEntry, LatencyTable, timed
    from lgcnet_tf.space.workloads import space_id

    draw = np.random.default_rng(seed).uniform
    return LatencyTable(
        entries={
            work.key: LatencyEntry(float(draw(1, 5000)), 1.0, 1)
            for work in timed(skeleton, input_size)
        },
        device="none",
        runtime="tensorflow_graph",
        runtime_version="0",
        precision="float32",
        threads=1,
        input_size=input_size,
        skeleton=skeleton,
        space_id=space_id(skeleton, input_size),
        date="2000-01-01T00:00:00+00:00",
        noise=0.0,
    )


def print_operation_times(title, run, calls=3, most=30):
    """Runs TensorFlow's profiler; prints the time by kind of operation.

    Times of operations that run side by side add up to more than the wall's.
    """
    import collections
    import glob
    import tempfile
    import time

    import tensorflow as tf

    for _ in range(3):
        run()
    with tempfile.TemporaryDirectory() as folder:
        tf.profiler.experimental.start(folder)
        started = time.monotonic()
        for _ in range(calls):
            run()
        wall = (time.monotonic() - started) / calls
        tf.profiler.experimental.stop()
        (path,) = glob.glob(f"{glob.escape(folder)}/**/*.xplane.pb", recursive=True)
        from tensorflow.tsl.profiler.protobuf import xplane_pb2

        with open(path, "rb") as file:
            space = xplane_pb2.XSpace.FromString(file.read())
    total, count = collections.Counter(), collections.Counter()
    for plane in space.planes:
        names = {i: m.name for i, m in plane.event_metadata.items()}
        for line in plane.lines:
            for event in line.events:
                name = names[event.metadata_id]
                kind = name.rpartition(":")[2] if ":" in name else name
                total[kind] += event.duration_ps / 1e9 / calls
                count[kind] += 1
    print(f"{title}: {1000 * wall:.0f} ms (profiled)")
    for kind, ms in total.most_common(most):
        print(f"{ms:9.2f} ms {count[kind] / calls:6.0f} x {kind}")


def product_rate(size=1024, repeats=10):
    """GMAC/s of a product of two float32 matrices, as TensorFlow is set up."""
    import statistics
    import time

    import tensorflow as tf

    x = tf.random.normal((size, size))
    times = []
    for _ in range(repeats + 2):
        started = time.monotonic()
        (x @ x).numpy()
        times.append(time.monotonic() - started)
    return size**3 / statistics.median(times[2:]) / 1e9
