"""What a long command would do, on how much data, in how much memory and time.

`--dry_run` of a command comes here in place of the command. Nothing is written to the
command's folder. Times are of steps that were really made here and now, but for those of
`lgcnet run`, which has no latency table yet to search with; each line says which.
"""

import dataclasses
import pathlib
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence

from lgcnet_tf.commands.timed_steps import TimedSteps, time_steps
from lgcnet_tf.config import Options, RunOptions
from lgcnet_tf.errors import InputError
from lgcnet_tf.files import read_json
from lgcnet_tf.run_folder import FLAGS, GENOTYPE, HISTORY, flag_lines, refuse_finished
from lgcnet_tf.sweep.trial import STAGES
from lgcnet_tf.terminal import duration_text

FORWARD = 1 / 3
"""Of a training step's time for a pixel, what an evaluation takes for one."""

_UNNAMED = "--output_dir"
"""What the folder is called where none is named."""

_VALIDATED = re.compile(r"on split [^:]*: ([\d,]+) images?")


def dry_run(name: str, options: RunOptions) -> list[str]:
    """What a command would do, a line for each part; writes nothing to its folder.

    Args:
        name: of the command, one of `PLANS`.
        options: of the command, with what it takes from its table or model; no
            `output_dir` is needed.

    Raises:
        InputError: what the command itself would refuse.
    """
    options.check()
    if missing := missing_of_dry_run(options):
        raise InputError("\n".join(missing))
    if not options.output_dir:
        options = dataclasses.replace(options, output_dir=_UNNAMED)
        return [*PLANS[name](options), "nothing was written"]
    refuse_finished(options.output_dir)
    return [*PLANS[name](options), f"nothing was written to {options.output_dir}"]


def missing_of_dry_run(options: Options) -> list[str]:
    """`missing` of the options, but for the folder, to which nothing is written."""
    named = options
    if isinstance(options, RunOptions) and not options.output_dir:
        named = dataclasses.replace(options, output_dir=_UNNAMED)
    return list(named.missing())


def _training(command: str, makes: str) -> Callable[[RunOptions], Iterator[str]]:
    """The plan of a command that trains."""

    def plan(options) -> Iterator[str]:
        if getattr(options, "search_strategy", "") == "random":
            yield f"would draw a random network and write {makes} into {_place(options)}"
            yield "data: none is read; time: some seconds, without a training"
            return
        timed = time_steps(command, flag_lines(options))
        yield f"would train for {timed.epochs} epochs and write {makes} into {_place(options)}"
        yield from timed.lines
        yield from _time_lines(timed, options)
        yield _memory_line(timed.peak_bytes)

    return plan


def _time_lines(timed: TimedSteps, options) -> Iterator[str]:
    done = min(_epochs_done(options), timed.epochs)
    if timed.step_s is None:
        yield f"time: {duration_text(timed.seconds())}: it was done before a step was timed"
        return
    steps = (timed.epochs - done) * timed.steps
    seconds, checks = timed.seconds(done), _validation_s(timed, options, done)
    more = f" and {duration_text(checks)} of validations" if checks else ""
    yield (
        f"time: about {duration_text(seconds + checks)}: {duration_text(timed.start_s)} "
        f"to begin, {steps} steps of {timed.step_s:.3g} s{more}; the steps were timed on "
        "this machine as it is busy now"
        + ("; a validation is reckoned by its pixels" if checks else "")
    )


def _validation_s(timed: TimedSteps, options, done: int) -> float:
    """Seconds of the validations after `done` epochs.

    By their pixels, at a part of a step's time for one.
    """
    size = getattr(options, "input_size", None) or getattr(options, "crop_size", None)
    every = getattr(options, "validate_every", 0)
    found = [n for line in timed.lines for n in _VALIDATED.findall(line)]
    if not (size and every and found and timed.step_s):
        return 0.0
    crop = options.crop_size
    images = sum(int(number.replace(",", "")) for number in found)
    pixel_s = timed.step_s / (timed.batch_size * crop[0] * crop[1])
    times = -(-timed.epochs // every) - done // every  # the last epoch has one
    return FORWARD * pixel_s * images * size[0] * size[1] * times


def _memory_line(peak_bytes: int | None) -> str:
    if peak_bytes is None:
        return "memory: this system does not say what a process has"
    return (
        f"memory: {peak_bytes / 1e9:.1f} GB at most while the steps were timed; a GPU's "
        "is not in it"
    )


def _place(options: RunOptions) -> str:
    """The folder, and whether a run has begun there."""
    folder = pathlib.Path(options.output_dir)
    if not (folder / FLAGS).is_file():
        return str(folder)
    return f"{folder}, going on there after {_epochs_done(options)} epochs"


def _epochs_done(options: RunOptions) -> int:
    history = pathlib.Path(options.output_dir) / HISTORY
    return len(read_json(history)) if history.is_file() else 0


def _measuring(options) -> Iterator[str]:
    from lgcnet_tf.commands.timed_measuring import measuring_lines

    yield from measuring_lines(options)


def _path(options) -> Iterator[str]:
    from lgcnet_tf.commands.run_plan import plan_lines

    yield from plan_lines(options)


def _sweep(options) -> Iterator[str]:
    """A sweep's plan: its first trial's search and training are timed."""
    import numpy as np

    from lgcnet_tf.commands.sweep import data_of, planned_trials
    from lgcnet_tf.latency.table import LatencyTable
    from lgcnet_tf.space.genotype import random_genotype
    from lgcnet_tf.sweep.launch import available_resources

    with tempfile.TemporaryDirectory(prefix="lgcnet_dry_run_") as folder:
        kept = dataclasses.replace(
            options, output_dir=str(pathlib.Path(folder, "sweep"))
        )
        trials = planned_trials(kept)
        first = trials[0]
        yield (
            f"would run {len(trials)} trials ({', '.join(STAGES)} of each, "
            f"{_at_a_time(options, available_resources(), len(trials))}) and write a table, the front and "
            f"every trial's networks into {options.output_dir}"
        )
        search_flags, flags = first.flags("search"), first.flags("finetune")
        searched = time_steps("search", search_flags)
        # The network is yet to be found: any one of the space stands for it.
        table = LatencyTable.load(_flag_of(search_flags, "latency_table"))
        drawn = random_genotype(table.skeleton, np.random.default_rng(0))
        size = {"input_size": list(table.input_size)}
        dataclasses.replace(drawn, provenance=size).save(pathlib.Path(folder, GENOTYPE))
        flags.append(f"--model={pathlib.Path(folder, GENOTYPE)}")
        if not _flag_of(flags, "dataset"):
            names = ("dataset", "data_dir", "latency_table")
            found = data_of({name: _flag_of(search_flags, name) for name in names})
            flags += [f"--{name}={value}" for name, value in zip(names, found) if value]
        trained = time_steps("finetune", flags)
    each = searched.seconds() + trained.seconds()
    slots = 1
    if options.launcher == "processes":
        slots = min(available_resources().trials(options.parallel), len(trials))
    yield from searched.lines
    for name, timed in (("search", searched), ("finetune", trained)):
        yield (
            f"{name}: about {duration_text(timed.seconds())} for each trial "
            f"({timed.epochs} epochs of {timed.steps} steps)"
        )
    rounds = -(-len(trials) // slots)
    yield (
        f"time: about {duration_text(each * rounds)} and the evaluations; the first "
        "trial's steps were timed on this machine as it is busy now, alone"
    )
    peaks = [one.peak_bytes for one in (searched, trained) if one.peak_bytes]
    yield _memory_line(slots * max(peaks) if peaks else None)


def _at_a_time(options, machine, trials) -> str:
    if options.launcher == "ray":
        return "as many at a time as the cluster has room for"
    return f"{min(machine.trials(options.parallel), trials)} at a time"


def _flag_of(flags: Sequence[str], name: str) -> str:
    """The value of a flag that a command line or its flagfile has; the last one wins."""
    from lgcnet_tf.sweep.inputs import read_flagfile

    value = ""
    for flag in flags:
        if flag.startswith("--flagfile="):
            value = read_flagfile(flag.partition("=")[2])[0].get(name, value)
        elif flag.startswith(f"--{name}="):
            value = flag.partition("=")[2]
    return value


PLANS: dict[str, Callable[..., Iterator[str]]] = {
    "run": _path,
    "measure_latency": _measuring,
    "search": _training("search", "genotype.json"),
    "pretrain": _training("pretrain", "model.keras"),
    "finetune": _training("finetune", "model.keras"),
    "sweep": _sweep,
}
"""The commands that have `--dry_run`, and what says their plan."""
