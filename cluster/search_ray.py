"""A search on the machines of a Ray cluster.

Ray Train starts the workers, sets TF_CONFIG in each, and starts all of them
again when one is lost; they go on from the last checkpoint in `--output_dir`,
a folder that all machines see.

    pip install 'ray[train]'
    python cluster/search_ray.py --num_workers=2 --flagfile=flags/search_camvid.txt \\
        --latency_table=/shared/latency_table.json --output_dir=/shared/search
"""

import dataclasses
import os
import pathlib
from typing import Any

from absl import app, flags

from lgcnet_tf.bin.common import define_flags, options_from_flags
from lgcnet_tf.run_folder import RESULTS
from lgcnet_tf.search.search import SearchOptions, search

flags.DEFINE_integer("num_workers", 2, "Workers, one process each.", lower_bound=2)
flags.DEFINE_bool("use_gpu", False, "Give each worker a GPU.")
define_flags(SearchOptions)


def work(options: dict[str, Any]) -> None:
    """Runs in each worker, in a process in which TensorFlow has not started."""
    os.environ.pop("TF_USE_LEGACY_KERAS", None)  # Ray means Keras 2
    if not (pathlib.Path(options["output_dir"]) / RESULTS).exists():
        search(SearchOptions(**options))


def main(argv):
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.tensorflow import TensorflowTrainer

    options = options_from_flags(SearchOptions)
    options.check()
    trainer = TensorflowTrainer(
        work,
        train_loop_config=dataclasses.asdict(options),
        scaling_config=ScalingConfig(
            num_workers=flags.FLAGS.num_workers, use_gpu=flags.FLAGS.use_gpu
        ),
        run_config=RunConfig(failure_config=FailureConfig(max_failures=-1)),
    )
    trainer.fit()


if __name__ == "__main__":
    app.run(main)
