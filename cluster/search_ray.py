"""A search on the machines of a Ray cluster.

Ray Train starts the workers, sets TF_CONFIG in each, and starts all of them
again when one is lost; they go on from the last checkpoint in `--output_dir`,
a folder that all machines see. The same command goes on with a broken search.

    pip install '.[ray]'
    python cluster/search_ray.py --num_workers=2 --flagfile=flags/search_camvid.txt \\
        --latency_table=/shared/latency_table.json --output_dir=/shared/search
"""

import dataclasses
import logging
import os
import pathlib
from typing import Any

from absl import flags

from lgcnet_tf.bin import common
from lgcnet_tf.errors import InputError
from lgcnet_tf.run_folder import RESULTS

with common.quiet_start():
    from lgcnet_tf.commands.search import SearchOptions, search

MAX_FAILURES = 1000
"""How often the workers are started again; machines that Ray sees go do not count."""

flags.DEFINE_integer("num_workers", 2, "Workers, one process each.", lower_bound=2)
flags.DEFINE_bool("use_gpu", False, "Give each worker a GPU.")


def work(options: dict[str, Any]) -> None:
    """Runs in each worker, in a process in which TensorFlow has not started."""
    os.environ.pop("TF_USE_LEGACY_KERAS", None)  # Ray means Keras 2
    logging.getLogger("tensorflow").setLevel(logging.WARNING)
    if not (pathlib.Path(options["output_dir"]) / RESULTS).exists():
        search(SearchOptions(**options))


def train(options: SearchOptions) -> None:
    """Searches on Ray's workers.

    Raises:
        InputError: Ray is not installed, or a worker says so.
    """
    try:
        import ray
        from ray.train import (
            FailureConfig,
            RunConfig,
            ScalingConfig,
            TrainingFailedError,
            UserCallback,
        )
        from ray.train.tensorflow import TensorflowTrainer
    except ImportError as error:
        raise InputError(
            f"Ray Train is missing ({error}): pip install 'lgcnet_tf[ray]'."
        ) from None

    class EndOnInputError(UserCallback):
        """Starting again would not mend it."""

        def after_exception(self, run_context, worker_exceptions):
            for rank, error in worker_exceptions.items():
                if isinstance(error, InputError):
                    raise InputError(f"worker {rank}: {error}")

    options.check()
    if not options.output_dir:
        raise InputError("--output_dir is missing: name a folder for the results.")
    # Workers have a working directory of their own.
    paths = {
        name: os.path.abspath(path)
        for name in ("data_dir", "latency_table", "output_dir")
        if (path := getattr(options, name))
    }
    options = dataclasses.replace(options, **paths)
    trainer = TensorflowTrainer(
        work,
        train_loop_config=dataclasses.asdict(options),
        scaling_config=ScalingConfig(
            num_workers=flags.FLAGS.num_workers,
            use_gpu=flags.FLAGS.use_gpu,
            placement_strategy="SPREAD",
        ),
        run_config=RunConfig(
            name="ray",
            storage_path=options.output_dir,
            failure_config=FailureConfig(max_failures=MAX_FAILURES),
            callbacks=[EndOnInputError()],
        ),
    )
    try:
        trainer.fit()
    except TrainingFailedError as error:
        ray.shutdown()  # what workers print comes before the last line
        raise InputError(str(getattr(error, "controller_failure", error))) from None


if __name__ == "__main__":
    common.run(SearchOptions, train)
