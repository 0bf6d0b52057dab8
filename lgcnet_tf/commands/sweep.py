"""A sweep: settings times seeds, side by side, then a table and Figure 7."""

import dataclasses
import os
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

from lgcnet_tf.commands.defaults import of_table
from lgcnet_tf.commands.evaluate import EvaluateOptions
from lgcnet_tf.commands.finetune import FinetuneOptions
from lgcnet_tf.commands.finish import finish
from lgcnet_tf.commands.search import SearchOptions
from lgcnet_tf.config import RunOptions, option
from lgcnet_tf.errors import InputError
from lgcnet_tf.files import atomic_write
from lgcnet_tf.flagfiles import find_flagfile
from lgcnet_tf.interruption import INTERRUPTION
from lgcnet_tf.latency.options import RuntimeOptions
from lgcnet_tf.latency.settings import REPEATS
from lgcnet_tf.run_folder import RunFolder
from lgcnet_tf.sweep import table
from lgcnet_tf.sweep.hparams import write_hparams
from lgcnet_tf.sweep.launch import run_here
from lgcnet_tf.sweep.ray_launcher import import_ray, run_on_ray
from lgcnet_tf.sweep.trial import STAGES, STOPPED, Trial
from lgcnet_tf.sweep.vary import parse_vary, setting_name, settings, trial_name
from lgcnet_tf.terminal import show_table

LAUNCHERS = ("processes", "ray")
TRIALS = "trials"
TABLE = "trials.csv"
SUMMARY = "summary.csv"
PARETO = "pareto.png"
HPARAMS = "hparams"

STAGE_OPTIONS = {
    "search": SearchOptions,
    "finetune": FinetuneOptions,
    "evaluate": EvaluateOptions,
}
_RUNTIME = dataclasses.fields(RuntimeOptions)


@dataclasses.dataclass(frozen=True, kw_only=True)
class SweepOptions(RunOptions, RuntimeOptions):
    """Options of a sweep."""

    TOPIC = "Trials"

    search_flags: str = option(
        "",
        "Flagfile of lgcnet-search, for every trial.",
        needed="a flagfile of lgcnet-search.",
    )
    finetune_flags: str = option(
        "", "Flagfile of lgcnet-finetune.", needed="a flagfile of lgcnet-finetune."
    )
    evaluate_flags: str = option(
        "", "Flagfile of lgcnet-evaluate; by default the finetuning's data, its "
        "validation split."
    )  # fmt: skip
    data_dir: str = option("", "Folder of the data, in place of the flagfiles'.")
    latency_table: str = option("", "Latency table, in place of the flagfiles'.")
    vary: str = option(
        "", "Flags and their values, as in communication=none,ggm;latency_weight="
        "0.001,0.005: every combination is tried. finetune.lr is lgcnet-finetune's. "
        "Values with commas stand apart by |."
    )  # fmt: skip
    seeds: tuple[int, ...] = option((0,), "Each setting is tried with each seed.")
    parallel: int = option(
        0, "Trials at a time; 0 for one on each GPU or, without any, for every four "
        "CPUs. With ray: 0 for as many as the cluster has room for.", minimum=0
    )  # fmt: skip
    launcher: str = option(
        LAUNCHERS[0], "Processes of this machine, or Ray Tune.", LAUNCHERS
    )
    repeats: int = option(REPEATS, "Timed images of each network.", minimum=1)

    def problems(self) -> Iterator[str]:
        yield from super().problems()
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            yield (
                f"--seeds must be one or more different numbers. Received: {self.seeds}"
            )
        elif min(self.seeds) < 0:
            yield f"--seeds must be at least 0. Received: {self.seeds}"
        for stage in STAGES:
            path = getattr(self, f"{stage}_flags")
            try:
                path and find_flagfile(path)
            except InputError as error:
                yield f"--{stage}_flags: {error}"


def sweep(options: SweepOptions) -> dict[str, Any]:
    """Runs every trial; writes table, summary, plot, events and results.

    Finished stages of trials are skipped, so a broken sweep goes on.

    Returns:
        What `results.json` holds.

    Raises:
        InputError: bad options, or at the end that trials failed.
        Interrupted: a signal came; the trials' processes have ended.
    """
    from lgcnet_tf.commands.progress_bars import ProgressBars
    from lgcnet_tf.sweep.inputs import sweep_inputs
    from lgcnet_tf.sweep.measure import measure_models

    options.check()
    if missing := list(options.missing()):
        raise InputError("\n".join(missing))
    axes = parse_vary(options.vary, STAGE_OPTIONS)
    run = run_here
    if options.launcher == "ray":
        import_ray()
        run = run_on_ray
    if options.precision == "int8" and not options.calibration_images:
        raise InputError(
            "--precision=int8: name the images it takes its ranges from, for what is "
            "scored and what is timed, by --calibration_images."
        )
    runtime = options.make_runtime()
    given = _given(options)
    inputs = sweep_inputs(
        _flagfiles(options), given, settings(axes), STAGE_OPTIONS, data_of
    )
    inputs |= options.calibration_inputs()
    folder = RunFolder(options, "sweep", inputs=inputs)
    trials = _trials(options, axes, given, folder)
    INTERRUPTION.defer()  # the trials' processes have to save and leave first
    outcomes = run(
        trials, options.parallel, lambda: INTERRUPTION.requested, folder.log.info
    )
    if INTERRUPTION.requested or STOPPED in outcomes.values():
        INTERRUPTION.leave("stopped; the same command goes on.")
    INTERRUPTION.allow()
    failed = [trial.name for trial in trials if outcomes[trial.name]]
    done = [trial for trial in trials if not outcomes[trial.name]]
    models = {trial.name: trial.model for trial in done}
    measured = measure_models(models, runtime, options.repeats, ProgressBars())
    rows = [table.trial_row(trial, measured[trial.name]) for trial in done]
    results = _write(folder, axes, rows) if rows else {}
    if failed:
        raise InputError(
            f"{len(failed)} of {len(trials)} trials failed ({', '.join(failed)}); the "
            "same command tries them again."
        )
    return finish(
        folder,
        {
            **results,
            "device": runtime.device,
            "runtime": runtime.name,
            "precision": runtime.precision,
            "calibration": runtime.calibration,
        },
    )


def planned_trials(options: SweepOptions) -> list[Trial]:
    """The trials of a sweep; its folder gets the flagfiles' copies and nothing else.

    Raises:
        InputError: bad options, or two settings of one name.
    """
    folder = pathlib.Path(options.output_dir)
    folder.mkdir(parents=True, exist_ok=True)
    axes = parse_vary(options.vary, STAGE_OPTIONS)
    return _trials(options, axes, _given(options), folder)


def data_of(flags: Mapping[str, str]) -> tuple[str, str]:
    """Data set and folder of a search with such flags.

    Raises:
        InputError: neither they nor the latency table say which.
    """
    if flags["dataset"]:
        return flags["dataset"], flags["data_dir"]
    names = ("dataset", "data_dir", "latency_table")
    given = SearchOptions(**{name: flags[name] for name in names})
    found = of_table(given)
    return found.dataset, found.data_dir


def _flagfiles(options) -> dict[str, str]:
    paths = {stage: getattr(options, f"{stage}_flags") for stage in STAGES}
    return {stage: path for stage, path in paths.items() if path}


def _given(options) -> dict[str, dict[str, str]]:
    """Flags that the sweep hands to the stages of all trials."""
    from lgcnet_tf.sweep.inputs import read_flagfile

    data = {"data_dir": options.data_dir} if options.data_dir else {}
    if options.extension:
        data["extension"] = ",".join(options.extension)
    given = {stage: dict(data) for stage in STAGES}
    if options.latency_table:
        given["search"]["latency_table"] = options.latency_table
    # What is timed in the end is what was evaluated.
    own = {f.name: str(getattr(options, f.name)) for f in _RUNTIME}
    if options.evaluate_flags:
        for name, value in read_flagfile(options.evaluate_flags)[0].items():
            if own.get(name, value) != value:
                raise InputError(
                    f"--evaluate_flags: {options.evaluate_flags} names --{name}={value}, "
                    f"the sweep has --{name}={own[name]}. Its networks are evaluated "
                    "and timed alike: name it in the sweep alone."
                )
    given["evaluate"] |= {name: value for name, value in own.items() if value}
    return given


def _trials(options, axes, given, folder) -> list[Trial]:
    flagfiles = {
        stage: str(_kept(folder / f"{stage}_flags.txt", path))
        for stage, path in _flagfiles(options).items()
    }
    flags = {
        stage: tuple(f"--{name}={value}" for name, value in values.items())
        for stage, values in given.items()
    }
    trials = []
    for setting in settings(axes):
        for seed in options.seeds:
            name = trial_name(setting, seed)
            place = str(folder / TRIALS / name)
            trials.append(
                Trial(name, setting, seed, place, flagfiles, os.getcwd(), flags)
            )
    if len({trial.name for trial in trials}) < len(trials):
        raise InputError(
            "--vary: two settings would have the same folder name; leave one of them out."
        )
    return trials


def _kept(copy: pathlib.Path, path: str) -> pathlib.Path:
    """The sweep's own copy of a flagfile: all its trials get the same flags."""
    text = pathlib.Path(find_flagfile(path)).read_text()
    if not copy.exists():
        with atomic_write(copy) as temporary:
            temporary.write_text(text)
    elif copy.read_text() != text:
        raise InputError(
            f"{path} has changed since this sweep began ({copy}); choose another "
            "--output_dir."
        )
    return copy


def _write(folder, axes, rows) -> dict[str, Any]:
    from lgcnet_tf.figures.pareto import accuracy_latency, pareto_front

    summary = table.summarize(rows, settings(axes))
    for name, content in ((TABLE, rows), (SUMMARY, summary)):
        with atomic_write(folder / name) as temporary:
            temporary.write_text(table.to_csv(content))
    write_hparams(folder / HPARAMS, axes, rows)
    show_table(*table.trial_cells(rows, list(axes)))
    print()
    show_table(*table.summary_cells(summary, list(axes)))
    drawn = [row for row in rows if row["miou"] is not None]
    front = []
    if drawn:
        points: dict[str, list[tuple[float, float]]] = {}
        for row in drawn:
            name = setting_name({axis: row[axis] for axis in axes})
            points.setdefault(name, []).append((row["measured_ms"], row["miou"]))
        accuracy_latency(points, folder / PARETO)
        pairs = [(row["measured_ms"], row["miou"]) for row in drawn]
        front = [drawn[i]["trial"] for i in pareto_front(*zip(*pairs))]
    return {"trials": rows, "summary": summary, "pareto_front": front}
