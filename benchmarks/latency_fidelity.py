"""Latency tables against whole networks: are the predictions true?

    python benchmarks/latency_fidelity.py [--runtimes=tensorflow_graph,onnxruntime]
    python benchmarks/latency_fidelity.py --quick

For each runtime: `lgcnet-measure-latency` makes a table and calibrates it, then
`lgcnet-check-latency` measures 40 random networks, spread over the range of
latencies and none of them one of the calibration's, and the zoo's network of
CamVid. Each is a process of its own, so that idle threads of one runtime do not
disturb another. The same command goes on where it was stopped; after its end it
measures anew, in another folder (`--output_dir`).

The last line is JSON: for each runtime `spearman`, `median_abs_error` and
`p90_abs_error` of the calibrated table, the same under `before` for its bare
medians and under `at_table_speed` with the machine's speed during the check taken
into account (`speed`, relative to when the table was calibrated), `table_s`, the
time it took to make the table (of the last start, where that was interrupted), and
`drift`.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import time

from common import begin, end

RUNTIMES = "tensorflow_graph,onnxruntime,openvino"
QUICK_SPACE = (
    "--num_cells=3",
    "--reduction_cells=1",
    "--initial_channels=4",
    "--fusion=none",
)
FIGURES = ("spearman", "median_abs_error", "p90_abs_error")
SECONDS = "seconds.json"


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """The options; `--quick` changes the defaults of those not given."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--quick", action="store_true", help="a tiny space and few networks")
    add("--output_dir", default="")
    add("--runtimes", default=RUNTIMES)
    add("--input_size", default="360x480")
    add("--networks", type=int, default=40)
    add("--calibration_networks", type=int, default=0, help="0: the command's default")
    add("--model", default="lgcnet_camvid", help="searched networks, checked too")
    parser.set_defaults(space=())
    if parser.parse_args(arguments).quick:
        parser.set_defaults(
            runtimes="tensorflow_graph,openvino", input_size="64x96", networks=10,
            calibration_networks=12, model="", space=QUICK_SPACE,
        )  # fmt: skip
    return parser.parse_args(arguments)


def run(command: str, *flags: str) -> None:
    """Runs a binary of the package; ends with it if it fails."""
    module = f"lgcnet_tf.bin.{command}"
    done = subprocess.run([sys.executable, "-m", module, *flags])
    if done.returncode:
        raise SystemExit(done.returncode)


def check_runtime(
    options: argparse.Namespace, root: pathlib.Path, runtime: str
) -> dict:
    """Table and check of one runtime, or what is left of them; its figures."""
    folder = root / f"{runtime}_{options.input_size}"
    table, check = folder / "table", folder / "check"
    if not (table / "results.json").exists():
        networks = options.calibration_networks
        started = time.monotonic()
        run(
            "measure_latency",
            "--dataset=camvid",
            f"--input_size={options.input_size}",
            f"--runtime={runtime}",
            *([f"--calibration_networks={networks}"] if networks else []),
            *options.space,
            f"--output_dir={table}",
        )
        seconds = round(time.monotonic() - started, 1)
        (folder / SECONDS).write_text(json.dumps(seconds))
    if not (check / "results.json").exists():
        run(
            "check_latency",
            f"--latency_table={table}/latency_table.json",
            f"--networks={options.networks}",
            f"--model={options.model}",
            f"--output_dir={check}",
        )
    results = json.loads((check / "results.json").read_text())
    return {
        **{name: results["agreement"][name] for name in FIGURES},
        "before": {name: results["uncalibrated"][name] for name in FIGURES},
        "at_table_speed": {name: results["at_table_speed"][name] for name in FIGURES},
        "table_s": json.loads((folder / SECONDS).read_text()),
        "speed": results["speed"],
        "drift": results["drift"],
    }


def main(options: argparse.Namespace) -> dict:
    """Goes through the runtimes; returns what is printed as JSON."""
    name = "latency_fidelity_quick" if options.quick else "latency_fidelity"
    folder = begin(options, f"runs/{name}")
    runtimes = options.runtimes.split(",")
    return end(
        folder, {name: check_runtime(options, folder, name) for name in runtimes}
    )


if __name__ == "__main__":
    print(json.dumps(main(parse_arguments())))
