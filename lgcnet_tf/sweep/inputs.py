"""What a sweep's trials read: finished trials and later ones must read the same."""

import os
from collections.abc import Callable, Mapping

from lgcnet_tf.config import Options
from lgcnet_tf.data import split_inputs
from lgcnet_tf.files import fingerprint
from lgcnet_tf.flagfiles import find_flagfile, flag_lines_of
from lgcnet_tf.run_folder import Inputs
from lgcnet_tf.sweep.vary import FINETUNE, StageOptions
from lgcnet_tf.training.initial import initial_file


def read_flagfile(path: str | os.PathLike) -> tuple[dict[str, str], list[str]]:
    """The `--name=value` lines of a flagfile and of those that it names.

    Returns:
        Values by flag, the last one where one stands there twice, and the paths
        of the other flagfiles.

    Raises:
        InputError: a file is absent, or they name one another in a circle.
    """
    values: dict[str, str] = {}
    own = find_flagfile(path)
    others: list[str] = []
    for file, line in flag_lines_of(path):
        if file != own and file not in others:
            others.append(file)
        name, equals, value = line.partition("=")
        if name.startswith("-") and equals:
            values[name.lstrip("-")] = value
    return values, others


def sweep_inputs(
    flagfiles: Mapping[str, str],
    given: Mapping[str, Mapping[str, str]],
    settings: list[dict[str, str]],
    stages: StageOptions,
    data_of: Callable[[Mapping[str, str]], tuple[str, str]],
) -> Inputs:
    """Fingerprints of the data, tables, models and further flagfiles of all trials.

    Args:
        flagfiles: of the stages that have one.
        given: flags of each stage that win over its flagfile's.
        settings: the values of the axes in each trial.
        stages: the options of `search`, `finetune` and `evaluate`.
        data_of: data set and its folder of a search with such flags; empty where the
            search would refuse them.

    Raises:
        InputError: a file is absent, or bad data.
    """
    found: dict[str, dict[str, str]] = {}
    seen, tables, initial = set(), {}, {}
    values: dict[str, dict[str, str]] = {}
    for stage, path in flagfiles.items():
        values[stage], others = read_flagfile(path)
        if others:
            found[f"--{stage}_flags"] = {path: fingerprint(path) for path in others}
    for setting in settings:
        axes = {"search": {}, "finetune": {}}
        for axis, value in setting.items():
            stage = "finetune" if axis.startswith(FINETUNE) else "search"
            axes[stage][axis.removeprefix(FINETUNE)] = value
        search, tuning = (
            _with_defaults(
                stages[stage], values.get(stage, {}) | given[stage] | axes[stage]
            )
            for stage in ("search", "finetune")
        )
        search["dataset"], search["data_dir"] = data_of(search)
        _take_data(tuning, search)
        evaluation = values.get("evaluate")
        if evaluation is None:
            split = tuning["validation_split"] or stages["evaluate"].split
            evaluation = {**tuning, "split": split, "latency_table": ""}
        evaluation = evaluation | given["evaluate"]
        evaluation = _with_defaults(stages["evaluate"], evaluation)
        _take_data(evaluation, tuning)
        for flags in (search, tuning, evaluation):
            if not flags["dataset"]:
                continue
            for split in filter(None, (flags["split"], flags.get("validation_split"))):
                data = flags["dataset"], split, flags["data_dir"] or None
                if data not in seen:
                    found |= split_inputs(*data)
                    seen.add(data)
            table = flags.get("latency_table")
            if table and table not in tables:
                tables[table] = fingerprint(table)
        if model := tuning["initial_model"]:
            initial[model] = fingerprint(initial_file(model))
    if initial:
        found["--initial_model"] = initial
    return found | ({"--latency_table": tables} if tables else {})


def _take_data(flags: dict[str, str], earlier: Mapping[str, str]) -> None:
    """Gives a stage the data of the one before it, where its flags name none."""
    if not flags["dataset"]:
        flags["dataset"] = earlier["dataset"]
        flags["data_dir"] = flags["data_dir"] or earlier["data_dir"]


def _with_defaults(options: type[Options], flags: Mapping[str, str]) -> dict[str, str]:
    names = (
        "dataset", "data_dir", "split", "validation_split", "latency_table",
        "initial_model",
    )  # fmt: skip
    found = {n: getattr(options, n) for n in names if hasattr(options, n)}
    return found | {name: value for name, value in flags.items() if name in found}
