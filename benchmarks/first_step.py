"""The time before the first step is done: building, tracing, optimising the graph.

    python benchmarks/first_step.py [--quick] [--repeats=3] [--size=128x128]

Each variant of `step_worker.py` builds its model and does one step, in a process
of its own, in turns: `plain` is the soft search in its plain form, `soft` and
`hard` are the search, `finetune` is a random derived network's training.

The last line is JSON: for each variant the medians in seconds of building and of
the first step, and `ratio` of plain's first step to its own, also with building
(`ratio_with_build`).
"""

import argparse
import json
import os
import statistics

from step_worker import Worker


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="four cells, 64x64, once")
    parser.add_argument("--repeats", type=int, default=0)
    parser.add_argument("--batch_size", type=int, default=4)
    parser.add_argument("--size", default="")
    arguments = parser.parse_args()
    quick = arguments.quick
    size = arguments.size or ("64x64" if quick else "128x128")
    repeats = arguments.repeats or (1 if quick else 3)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

    runs = {name: [] for name in ("plain", "soft", "hard", "finetune")}
    for _ in range(repeats):
        for name, found in runs.items():
            worker = Worker(name, size, arguments.batch_size, quick)
            step = worker.step()
            worker.stop()
            found.append(
                {
                    "build_s": worker.built["build_s"],
                    "first_step_s": step["step_s"],
                    "first_step_cpu_s": step["step_cpu_s"],
                    "both_s": worker.built["build_s"] + step["step_s"],
                }
            )
            print(name, {k: round(v, 1) for k, v in found[-1].items()}, flush=True)

    def median(name, key):
        return statistics.median(run[key] for run in runs[name])

    def ratios(key):
        return {
            name: round(median("plain", key) / median(name, key), 2)
            for name in runs
            if name != "plain"
        }

    figures = {
        name: {key: round(median(name, key), 1) for key in found[0]}
        for name, found in runs.items()
    }
    print(
        json.dumps(
            {
                "size": size,
                "batch_size": arguments.batch_size,
                "ratio": ratios("first_step_s"),
                "ratio_with_build": ratios("both_s"),
                "cpu_ratio": ratios("first_step_cpu_s"),
                **figures,
            }
        )
    )


if __name__ == "__main__":
    main()
