"""Models side by side, timed in turns in one run."""

import dataclasses
from typing import Any

import numpy as np

from lgcnet_tf.commands.finish import finish
from lgcnet_tf.config import RunOptions, Size, option
from lgcnet_tf.errors import InputError
from lgcnet_tf.latency.options import BatchOptions
from lgcnet_tf.latency.settings import REPEATS, WARMUP
from lgcnet_tf.run_folder import RunFolder
from lgcnet_tf.terminal import show_table


@dataclasses.dataclass(frozen=True, kw_only=True)
class BenchmarkOptions(RunOptions, BatchOptions):
    """Options of a comparison."""

    TOPIC = "Comparison"

    model: str = option(
        "",
        "Models with commas between, each as in lgcnet-evaluate.",
        needed="one or more models, with commas between.",
    )
    input_size: Size | None = option(None, "HxW; by default each model's own.")
    repeats: int = option(REPEATS, "Timed calls of each model.", minimum=1)
    warmup: int = option(WARMUP, "Calls of each that do not count.", minimum=0)
    memory: bool = option(
        True, "Also measure peak memory, in a process of its own for each model."
    )


def benchmark(options: BenchmarkOptions) -> dict[str, Any]:
    """Times every model on one batch; prints a table, writes `results.json`.

    A file that the chosen runtime cannot read is run by the one it needs; the
    table says which.

    Raises:
        InputError: bad options, or a model that cannot be loaded or run so.
    """
    from lgcnet_tf.evaluation.model_files import runtime_for
    from lgcnet_tf.evaluation.models import load_model
    from lgcnet_tf.evaluation.peak_memory import peak_memory
    from lgcnet_tf.latency.measure import samples

    options.check()
    names = [name.strip() for name in options.model.split(",") if name.strip()]
    if len(set(names)) != len(names) or not names:
        raise InputError(
            "--model must name one or more different models, commas between: names of "
            f"the zoo or files. Received: {options.model!r}"
        )
    runtime = options.make_runtime()
    for name in names:  # a runtime has to be set up before another one starts
        runtime_for(name, runtime)
    models = [load_model(name, options.input_size) for name in names]
    folder = RunFolder(options, "benchmark")
    batch = options.batch_size
    prepared = {model.name: model.prepare(runtime, batch) for model in models}
    runs = {name: model.load() for name, model in prepared.items()}
    times = samples(runs, options.repeats, options.warmup)
    first = times[models[0].name]
    rows = []
    for model in models:
        name, used = model.name, runs[model.name].runtime
        median, p90 = np.percentile(times[name], (50, 90)) / 1000.0
        memory = None
        if options.memory:
            memory = peak_memory(prepared[name], name, model.input_size, batch)
        rows.append(
            {
                "model": name,
                "runtime": used.name,
                "runtime_version": used.version,
                "precision": model.precision_of(runs[name]),
                "calibration": model.calibration_of(runs[name]),
                "threads": used.threads,
                "device": used.device,
                "input_size": list(model.input_size),
                "batch_size": batch,
                "params": model.params,
                "macs": model.macs,
                "peak_memory_mb": memory and memory / 1e6,
                "median_ms": float(median),
                "p90_ms": float(p90),
                "fps": 1000.0 * batch / float(median),
                "ratio": float(np.median(first / times[name])),
            }
        )
    show_table(*table_cells(rows))
    return finish(
        folder,
        {
            "models": rows,
            "device": runtime.device,
            "runtime": runtime.name,
        },
    )


HEAD = (
    "model", "runtime", "input", "params", "MACs", "memory", "median", "p90", "FPS",
    "speed-up",
)  # fmt: skip


def table_cells(
    rows: list[dict[str, Any]],
) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Head and rows of a table.

    MACs are of one image, memory is the peak, FPS counts images; `speed-up` is
    against the first model, of the times in each turn.
    """
    cells = []
    for row in rows:
        memory = row["peak_memory_mb"]
        cells.append(
            (
                row["model"][-34:],
                row["runtime"],
                "x".join(map(str, row["input_size"])),
                f"{row['params'] / 1e6:.2f} M" if row["params"] else "-",
                f"{row['macs'] / 1e9:.2f} G" if row["macs"] else "-",
                "-" if memory is None else f"{memory:.0f} MB",
                f"{row['median_ms']:.1f} ms",
                f"{row['p90_ms']:.1f} ms",
                f"{row['fps']:.1f}",
                f"{row['ratio']:.2f}",
            )
        )
    return HEAD, cells
