"""Runs that are killed again and again against runs that nobody disturbed.

A search and then a finetuning of what it found, on toy_streets, at tiny size,
with --deterministic: once uninterrupted, and once with the process killed at
random moments (SIGKILL and SIGTERM in turn, from its start on) and the same
command given again. Are α, weights, statistics, both optimisers, random state,
figures and genotype the same, bit for bit?

    python benchmarks/resume.py [--quick] [--kills=10] [--seed=0]

10 kills of the search and 4 of the finetuning; `--quick` 2 and 1 of runs with a
single cell. Prints a line per kill and one line of JSON: `kills`, `identical`, the
share of SIGTERMs that ended with status 0, and the seconds until the slowest of
them had.
"""

import argparse
import contextlib
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time

import common

SPACE = {
    "initial_channels": 2,
    "num_cells": 2,
    "reduction_cells": (1,),
    "fusion": "none",
    "fusion_taps": (0, 1),
}
QUICK_SPACE = {
    "initial_channels": 2,
    "num_cells": 1,
    "reduction_cells": (),
    "fusion": "none",
    "fusion_taps": (0,),
    "communication": "none",
}
SIZE = (32, 32)


def start(command, flags, folder):
    """The process of a binary; what it prints is kept beside its folder."""
    log = open(f"{folder}.log", "a")  # noqa: SIM115
    arguments = [f"--{name}={value}" for name, value in flags.items()]
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            f"lgcnet_tf.bin.{command}",
            *arguments,
            "--deterministic",
            f"--output_dir={folder}",
        ],
        stdout=log,
        stderr=log,
    )


def run_undisturbed(command, flags, folder):
    """Runs to the end; seconds until the first epoch was done and until the end."""
    begun = time.monotonic()
    process = start(command, flags, folder)
    first = None
    while process.poll() is None:
        if first is None and (folder / "history.json").exists():
            first = time.monotonic() - begun
        time.sleep(0.05)
    check(process, folder)
    return first, time.monotonic() - begun


def check(process, folder):
    if process.wait() != 0:
        sys.exit(pathlib.Path(f"{folder}.log").read_text()[-3000:])


def wait_for(process, folder, epochs, seconds):
    """Waits for ends of epochs and some seconds more, or for the process' end."""
    history = folder / "history.json"

    def changed():
        return history.stat().st_mtime_ns if history.exists() else 0

    before = changed()
    while epochs and process.poll() is None:
        if changed() != before:
            before = changed()
            epochs -= 1
        time.sleep(0.01)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(seconds)


def run_killed(command, flags, folder, kills, times, draw):
    """Runs with `kills` kills and then to the end.

    Returns:
        The count of kills, and status and seconds of each SIGTERM.
    """
    first, end = times
    epoch = (end - first) / max(1, flags["epochs"] - 1)
    ends, done = [], 0
    while not (folder / "results.json").exists():
        process = start(command, flags, folder)
        if done == kills:
            check(process, folder)
            break
        if done % 3 == 2:  # while it starts, reads or traces
            wait_for(process, folder, 0, draw.uniform(0.1, 0.9) * first)
        else:
            epochs = draw.choice((1, 2))
            wait_for(process, folder, epochs, draw.uniform(0, 1.5) * epoch)
        if process.poll() is not None:
            check(process, folder)
            break
        number = signal.SIGKILL if done % 2 else signal.SIGTERM
        sent = time.monotonic()
        process.send_signal(number)
        status = process.wait()
        seconds = time.monotonic() - sent
        done += 1
        if number == signal.SIGTERM:
            ends.append((status, seconds))
        checkpoints = sorted(path.stem for path in folder.glob("checkpoints/epoch*"))
        print(
            f"{command}: kill {done} of {kills}, {signal.Signals(number).name}: "
            f"status {status} within {seconds:.1f} s; "
            f"has {', '.join(checkpoints) or 'no checkpoint'}",
            flush=True,
        )
    return done, ends


def differences(one, other, names):
    """What is not the same in two folders."""
    import numpy as np

    found = [n for n in names if (one / n).read_bytes() != (other / n).read_bytes()]
    histories = [json.loads((run / "history.json").read_text()) for run in (one, other)]
    for entry in [*histories[0], *histories[1]]:
        del entry["seconds"]
    if histories[0] != histories[1]:
        found.append("history.json")
    last = max(path.name for path in one.glob("checkpoints/epoch_*.npz"))
    with (
        np.load(one / "checkpoints" / last) as a,
        np.load(other / "checkpoints" / last) as b,
    ):
        for path in sorted({*a.files, *b.files} - {"meta.json"}):
            if (
                path not in a.files
                or path not in b.files
                or a[path].tobytes() != b[path].tobytes()
            ):
                found.append(path)
        count = len(a.files) - 1
    return count, found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--kills", type=int, help="of the search")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    options = parser.parse_args()
    kills = options.kills or (2 if options.quick else 10)
    space = QUICK_SPACE if options.quick else SPACE
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"

    from lgcnet_tf.commands.search import SearchOptions

    draw = random.Random(options.seed)
    with tempfile.TemporaryDirectory(prefix="lgcnet_resume_") as root:
        root = pathlib.Path(root)
        skeleton = SearchOptions(**space, input_size=SIZE).skeleton(8)
        common.random_table(skeleton, SIZE).save(root / "table.json")
        size = f"{SIZE[0]}x{SIZE[1]}"
        both = {"input_size": size, "crop_size": size, "batch_size": 8}
        search = both | {
            name: ",".join(map(str, value)) if isinstance(value, tuple) else value
            for name, value in space.items()
        }
        search |= {"latency_table": root / "table.json", "epochs": 2 + 3 * kills}
        tuning = (kills + 2) // 3
        finetune = both | {
            "model": root / "search_undisturbed/genotype.json",
            "epochs": 2 + 3 * tuning,
            "validate_every": 2,
        }
        report = {"kills": 0, "identical": True, "different": []}
        ends, counts = [], {}
        for command, flags, count, names in (
            ("search", search, kills, ("genotype.json", "alphas.npz")),
            ("finetune", finetune, tuning, ()),
        ):
            whole, killed = root / f"{command}_undisturbed", root / f"{command}_killed"
            times = run_undisturbed(command, flags, whole)
            print(
                f"{command}: undisturbed in {times[1]:.0f} s, its first epoch after "
                f"{times[0]:.0f} s",
                flush=True,
            )
            done, ended = run_killed(command, flags, killed, count, times, draw)
            report["kills"] += done
            ends += ended
            counts[command], found = differences(whole, killed, names)
            report["different"] += [f"{command}: {what}" for what in found]
    report["identical"] = not report["different"]
    report["different"] = report["different"][:5]
    report["arrays"] = counts
    report["sigterm_status_0"] = sum(status == 0 for status, _ in ends) / len(ends)
    report["slowest_exit_s"] = round(max(seconds for _, seconds in ends), 2)
    print(json.dumps(report))


if __name__ == "__main__":
    main()
