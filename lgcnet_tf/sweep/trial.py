"""A trial: search, finetune and evaluate one setting with one seed."""

import contextlib
import dataclasses
import fcntl
import os
import pathlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from lgcnet_tf.files import read_json
from lgcnet_tf.run_folder import FLAGS, GENOTYPE, MODEL, RESULTS
from lgcnet_tf.sweep.vary import FINETUNE

STAGES = ("search", "finetune", "evaluate")
GRACE_S = 20.0
"""Seconds that a stage has to save and leave after a SIGTERM."""
STOPPED = "stopped"

_POLL_S = 0.2
_DATA = {
    name: name
    for name in (
        "dataset",
        "data_dir",
        "val_share",
        "split_seed",
        "group_by",
        "extension",
    )
}
_EVALUATE_TAKES = {
    False: _DATA | {"validation_split": "split"},
    True: _DATA | {"split": "split", "left_out": "groups"},
}
"""Flags of the finetuning that the evaluation takes, and as which of its own, if
groups were left out."""


@dataclasses.dataclass(frozen=True)
class Trial:
    """One trial, as plain values that can be sent to another machine.

    Attributes:
        name: name of the folder, unique in the sweep.
        setting: value, as text, of each axis.
        seed: of the search and the finetuning.
        folder: holds a run folder for each stage, and what the stages printed.
        flagfiles: of `search`, `finetune` and, if there is one, `evaluate`.
        working_dir: the folder that relative paths start from.
        given: flags of a stage that win over its flagfile's.
    """

    name: str
    setting: Mapping[str, str]
    seed: int
    folder: str
    flagfiles: Mapping[str, str]
    working_dir: str
    given: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)

    def __truediv__(self, name: str) -> pathlib.Path:
        return pathlib.Path(self.working_dir, self.folder, name)

    @property
    def model(self) -> pathlib.Path:
        """The trained network."""
        return self / "finetune" / MODEL

    def finished(self, stage: str = STAGES[-1]) -> bool:
        """Whether the stage left its results."""
        return (self / stage / RESULTS).exists()

    def results(self, stage: str) -> dict[str, Any]:
        """`results.json` of a finished stage."""
        return read_json(self / stage / RESULTS)

    def flags(self, stage: str) -> list[str]:
        """Command line of a stage; later flags win over the flagfile's."""
        flags = []
        if stage in self.flagfiles:
            flags.append(f"--flagfile={self.flagfiles[stage]}")
        if stage == "evaluate":
            if stage not in self.flagfiles:
                given = read_flags(self / "finetune" / FLAGS)
                left_out = given.get("left_out")
                flags += [
                    f"--{flag}={given[name]}"
                    for name, flag in _EVALUATE_TAKES[bool(left_out)].items()
                    if given.get(name)
                ]
        flags += self.given.get(stage, ())
        if stage == "evaluate":
            flags.append(f"--model={self.folder}/finetune/{MODEL}")
        else:
            prefix = FINETUNE if stage == "finetune" else ""
            flags += [
                f"--{axis.removeprefix(FINETUNE)}={value}"
                for axis, value in self.setting.items()
                if axis.startswith(FINETUNE) == bool(prefix)
            ]
            flags.append(f"--seed={self.seed}")
        if stage == "finetune":
            flags.append(f"--model={self.folder}/search/{GENOTYPE}")
        return [*flags, f"--output_dir={self.folder}/{stage}"]


def read_flags(path: os.PathLike) -> dict[str, str]:
    """The `--name=value` lines of a flagfile."""
    lines = pathlib.Path(path).read_text().splitlines()
    pairs = (line.strip().partition("=") for line in lines if "=" in line)
    return {name.removeprefix("--"): value for name, _, value in pairs}


def run_trial(
    trial: Trial,
    environment: Mapping[str, str] = {},
    stopping: Callable[[], bool] = lambda: False,
    report: Callable[[str], None] = lambda line: None,
) -> str:
    """Runs the stages that are not finished yet, each as a process of its own.

    What a stage prints is kept in `STAGE.out` and `STAGE.err` of the trial's
    folder. A stage that another process still works on is waited for.

    Args:
        environment: variables that the processes get besides this one's.
        stopping: asked all the time; once true the running stage gets a
            SIGTERM, and is killed if that has not ended it in `GRACE_S`.
        report: told when a stage starts.

    Returns:
        An empty text if all is done, `STOPPED`, or one line that says what
        failed.
    """
    (trial / "").mkdir(parents=True, exist_ok=True)
    with _alone(trial / ".lock", stopping) as lock:
        for stage in STAGES:
            if trial.finished(stage):
                continue
            if lock is None or stopping():
                return STOPPED
            report(f"{trial.name}: {stage}")
            status = _run_stage(trial, stage, environment, stopping, lock)
            if trial.finished(stage):
                continue
            if stopping():
                return STOPPED
            return f"{stage}: {_last_line(trial / f'{stage}.err', status)}"
    return ""


def stage_command(stage: str) -> list[str]:
    """How to start a stage, without its flags: the same interpreter, our child."""
    return [sys.executable, "-m", "lgcnet_tf.sweep.child", str(os.getpid()), stage]


def _run_stage(trial, stage, environment, stopping, lock) -> int:
    with (
        open(trial / f"{stage}.out", "a") as out,
        open(trial / f"{stage}.err", "a") as err,
    ):
        process = subprocess.Popen(
            stage_command(stage) + trial.flags(stage),
            cwd=trial.working_dir,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            pass_fds=(lock,),  # held for as long as the stage lives
            start_new_session=True,  # Ctrl-C reaches the sweep alone
        )
        try:
            while process.poll() is None:
                if stopping():
                    process.terminate()
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        process.wait(GRACE_S)
                    break
                time.sleep(_POLL_S)
        finally:
            process.kill()
            process.wait()
    return process.returncode


@contextlib.contextmanager
def _alone(path: pathlib.Path, stopping) -> Iterator[int | None]:
    """Waits until no other process has the lock; None if it stops waiting."""
    with open(path, "w") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if stopping():
                    yield None
                    return
                time.sleep(_POLL_S)
            else:
                break
        yield file.fileno()


def _last_line(path: pathlib.Path, status: int) -> str:
    lines = [line.strip() for line in path.read_text(errors="replace").splitlines()]
    # absl says what is wrong with a flag in the line before its last.
    lines = [line for line in lines if line and not line.startswith("Pass --help")]
    if status < 0:
        return f"killed by signal {-status}."
    if status == 0:
        return "was told to stop; the same command goes on."
    return lines[-1] if lines else f"exit status {status}."
