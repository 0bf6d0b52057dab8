"""Measuring the latency table of a search space on this device."""

import dataclasses
import sys
from typing import Any

import keras

from lgcnet_tf.config import option
from lgcnet_tf.data import dataset_info
from lgcnet_tf.latency.measure import REPEATS, WARMUP, measure_table
from lgcnet_tf.latency.runtimes import RUNTIMES, get_runtime
from lgcnet_tf.run_folder import RunFolder
from lgcnet_tf.space.options import SpaceOptions

TABLE = "latency_table.json"


@dataclasses.dataclass(frozen=True, kw_only=True)
class MeasureOptions(SpaceOptions):
    """Options of a latency table."""

    runtime: str = option("tensorflow_graph", "What runs the network.", tuple(RUNTIMES))
    threads: int = option(0, "CPU threads; 0 leaves the choice to the runtime.")
    repeats: int = option(REPEATS, "Samples of each operation, in turns.", minimum=1)
    warmup: int = option(
        WARMUP, "Calls of each operation that do not count.", minimum=0
    )


def measure_latency(options: MeasureOptions) -> dict[str, Any]:
    """Measures every distinct operation and writes `latency_table.json`.

    Returns:
        What `results.json` holds.

    Raises:
        InputError: bad options, or a runtime that cannot run here.
    """
    options.check()
    skeleton = options.skeleton(dataset_info(options.dataset).num_classes)
    runtime = get_runtime(options.runtime, options.threads or None)
    folder = RunFolder(options, "measure_latency")
    table = measure_table(
        skeleton,
        options.input_size,
        runtime,
        options.repeats,
        options.warmup,
        progress=ProgressBars(),
    )
    table.save(folder / TABLE)
    return folder.finish(
        {
            "table": TABLE,
            "table_id": table.table_id,
            "operations": len(table.entries),
            "noise": table.noise,
            "device": table.device,
            "runtime": table.runtime,
        }
    )


class ProgressBars:
    """Keras' progress bar, a new one for each stage."""

    def __init__(self):
        self.stage, self.bar = None, None

    def __call__(self, stage: str, done: int, total: int) -> None:
        if stage != self.stage:
            print(f"{stage}:", file=sys.stderr)
            self.stage, self.bar = stage, keras.utils.Progbar(total)
        self.bar.update(done)
