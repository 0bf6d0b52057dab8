"""A sweep and its front: which networks are worth having.

    python examples/sweep.py --latency_table=runs/latency/latency_table.json

One search gives one network. A sweep runs search, finetuning and evaluation for several
weights of latency and several seeds, and draws accuracy against latency (Figure 7 of the
paper). It goes on where it was stopped. On toy_streets this takes some hours on two
cores; on a GPU or a Ray cluster (`--launcher=ray`) trials run side by side.
"""

# %% The recipe of every trial
# A sweep takes the flagfiles of the commands that it runs. Those of the paper come with
# the package; `lgcnet-measure-latency` makes the table.

import argparse
import pathlib

from lgcnet_tf.commands.sweep import SweepOptions, sweep
from lgcnet_tf.files import read_json

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--latency_table", required=True)
parser.add_argument("--search_flags", default="search_toy")
parser.add_argument("--finetune_flags", default="finetune_toy")
parser.add_argument("--vary", default="latency_weight=0.0005,0.002,0.008")
parser.add_argument("--seeds", default="0,1")
parser.add_argument("--output_dir", default="runs/sweep")
asked = parser.parse_args()

# %% All trials
# Every combination of the values, with each seed. Two seeds are the least that tells a
# difference from chance: on CamVid two seeds of one setting differed by 11 points.

options = SweepOptions(
    search_flags=asked.search_flags,
    finetune_flags=asked.finetune_flags,
    latency_table=asked.latency_table,
    vary=asked.vary,
    seeds=tuple(map(int, asked.seeds.split(","))),
    parallel=1,
    repeats=5,
    output_dir=asked.output_dir,
)
if not (pathlib.Path(asked.output_dir) / "results.json").exists():
    sweep(options)

# %% The front
# A network is on the front if none is both faster and better. The times were measured in
# turns in one process at the end, so that they can be compared.

results = read_json(pathlib.Path(asked.output_dir) / "results.json")
trials = sorted(results["trials"], key=lambda trial: trial["measured_ms"])
for trial in trials:
    front = "on the front" if trial["trial"] in results["pareto_front"] else ""
    print(
        f"{trial['measured_ms']:8.2f} ms  mIoU {trial['miou']:.3f}  "
        f"{trial['trial']}  {front}"
    )
print(f"{asked.output_dir}/pareto.png has it as a picture, trials.csv as a table")
