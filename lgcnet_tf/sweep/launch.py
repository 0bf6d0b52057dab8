"""Running trials side by side on this machine, by processes."""

import concurrent.futures
import dataclasses
import os
import queue
import shutil
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence

from lgcnet_tf.sweep.trial import Trial, run_trial

CPUS_PER_TRIAL = 4
"""A training step of these networks gains little from more threads."""

THREADS = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")
"""Environment variables that limit a process' threads."""


@dataclasses.dataclass(frozen=True)
class Resources:
    """What a machine has for trials.

    Attributes:
        cpus: cores that this process may use.
        gpus: names of the GPUs, as `CUDA_VISIBLE_DEVICES` takes them.
    """

    cpus: int
    gpus: tuple[str, ...]

    def trials(self, parallel: int = 0) -> int:
        """How many trials run at a time: `parallel`, or as many as there is room.

        That is one on each GPU or, without any, one for every four CPUs, at
        least one.
        """
        return parallel or len(self.gpus) or max(1, self.cpus // CPUS_PER_TRIAL)

    def environment(self, slot: int, slots: int) -> dict[str, str]:
        """Variables that hold a trial to its share: threads and one GPU."""
        threads = str(max(1, self.cpus // slots))
        variables = dict.fromkeys(THREADS, threads)
        if self.gpus:
            variables["CUDA_VISIBLE_DEVICES"] = self.gpus[slot % len(self.gpus)]
        if slots > len(self.gpus) > 0:  # they share: nobody may take all the memory
            variables["TF_FORCE_GPU_ALLOW_GROWTH"] = "true"
        return variables


def available_resources() -> Resources:
    """What this machine has: asked of the system, TensorFlow stays out of it."""
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        gpus = [name for name in visible.split(",") if name and name != "-1"]
    else:
        gpus = [str(index) for index in range(_installed_gpus())]
    return Resources(cpus or os.cpu_count() or 1, tuple(gpus))


def _installed_gpus() -> int:
    if not shutil.which("nvidia-smi"):
        return 0
    try:
        done = subprocess.run(
            ["nvidia-smi", "-L"], capture_output=True, text=True, timeout=30
        )
    except (OSError, subprocess.TimeoutExpired):
        return 0
    return sum(line.startswith("GPU ") for line in done.stdout.splitlines())


def run_here(
    trials: Sequence[Trial],
    parallel: int,
    stopping: Callable[[], bool],
    report: Callable[[str], None],
) -> Mapping[str, str]:
    """Runs all trials, `parallel` at a time, 0 for as many as there is room.

    Args:
        stopping: once true no stage starts any more, and the running ones end.
        report: told what starts and how a trial ended.

    Returns:
        What `run_trial` returned, by the trial's name.
    """
    machine = available_resources()
    slots = min(machine.trials(parallel), max(1, len(trials)))
    free: queue.Queue[int] = queue.Queue()
    for slot in range(slots):
        free.put(slot)
    abandoned = threading.Event()

    def stop():
        return abandoned.is_set() or stopping()

    def run(trial):
        slot = free.get()
        try:
            environment = machine.environment(slot, slots)
            return run_trial(trial, environment, stop, report)
        except OSError as error:  # a full disk, say, ends this trial alone
            return f"{type(error).__name__}: {error}"
        finally:
            free.put(slot)

    # The threads only wait for processes.
    with concurrent.futures.ThreadPoolExecutor(slots) as pool:
        jobs = {pool.submit(run, trial): trial for trial in trials}
        outcomes = {}
        try:
            for job in concurrent.futures.as_completed(jobs):
                trial, outcome = jobs[job], job.result()
                outcomes[trial.name] = outcome
                report(f"{trial.name}: {outcome or 'done'}")
        except BaseException:  # the pool waits for its threads, whatever happens
            abandoned.set()
            raise
    return outcomes
