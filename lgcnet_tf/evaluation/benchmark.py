"""Models side by side, timed in turns in one run."""

import dataclasses
from typing import Any

import numpy as np

from lgcnet_tf.config import RunOptions, Size, option
from lgcnet_tf.errors import InputError
from lgcnet_tf.evaluation.models import load_model
from lgcnet_tf.latency.measure import REPEATS, WARMUP, samples
from lgcnet_tf.latency.runtimes import RUNTIMES, get_runtime
from lgcnet_tf.run_folder import RunFolder


@dataclasses.dataclass(frozen=True, kw_only=True)
class BenchmarkOptions(RunOptions):
    """Options of a comparison."""

    model: str = option("", "Models with commas between, each as in lgcnet-evaluate.")
    input_size: Size | None = option(None, "HxW; by default each model's own.")
    runtime: str = option("tensorflow_graph", "What to time on.", tuple(RUNTIMES))
    threads: int = option(0, "CPU threads; 0 leaves the choice to the runtime.")
    repeats: int = option(REPEATS, "Timed images of each model.", minimum=1)
    warmup: int = option(WARMUP, "Images of each that do not count.", minimum=0)


def benchmark(options: BenchmarkOptions) -> dict[str, Any]:
    """Times every model on one image; prints a table, writes `results.json`.

    Raises:
        InputError: bad options, or a model that cannot be loaded.
    """
    options.check()
    names = [name.strip() for name in options.model.split(",") if name.strip()]
    if len(set(names)) != len(names) or not names:
        raise InputError("--model must name one or more different models.")
    runtime = get_runtime(options.runtime, options.threads or None)
    models = [load_model(name, options.input_size) for name in names]
    folder = RunFolder(options, "benchmark")
    runs = {model.name: model.compile(runtime) for model in models}
    times = samples(runs, options.repeats, options.warmup)
    rows = []
    for model in models:
        median, p90 = np.percentile(times[model.name], (50, 90)) / 1000.0
        rows.append(
            {
                "model": model.name,
                "input_size": list(model.input_size),
                "params": model.params,
                "macs": model.macs,
                "median_ms": float(median),
                "p90_ms": float(p90),
                "fps": 1000.0 / float(median),
                "ratio": float(
                    np.median(times[models[0].name] / times[model.name])
                ),
            }
        )
    print(format_rows(rows))
    return folder.finish(
        {
            "models": rows,
            "device": runtime.device,
            "runtime": runtime.name,
        }
    )


def format_rows(rows: list[dict[str, Any]]) -> str:
    """A text table; `speed-up` is against the first, of the times in each turn."""
    lines = [
        f"{'model':<40} {'params':>8} {'MACs':>8} {'median':>9} {'p90':>9} "
        f"{'FPS':>7} {'speed-up':>8}"
    ]
    for row in rows:
        params = f"{row['params'] / 1e6:.2f} M" if row["params"] else "-"
        macs = f"{row['macs'] / 1e9:.2f} G" if row["macs"] else "-"
        lines.append(
            f"{row['model'][-40:]:<40} {params:>8} {macs:>8} "
            f"{row['median_ms']:>6.1f} ms {row['p90_ms']:>6.1f} ms "
            f"{row['fps']:>7.1f} {row['ratio']:>8.2f}"
        )
    return "\n".join(lines)
