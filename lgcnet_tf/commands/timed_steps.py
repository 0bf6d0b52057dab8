"""A few steps of a training, really made: how long they take, how much memory.

The command itself runs, as a process of its own and in a folder that is removed
afterwards, until it has said how long a step takes; then it is stopped. So what is timed
is what would run.
"""

import dataclasses
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence

from lgcnet_tf.errors import InputError
from lgcnet_tf.run_folder import RESULTS
from lgcnet_tf.sweep.trial import stage_command

LONGEST_S = 600.0
"""After so long without a timed step the process is given up."""

_SAID = ("data: ", "network: ", "device: ")
_STEP = re.compile(r"^a step takes ([\d.e+-]+) s")
_EPOCHS = re.compile(r"(\d+) epochs? of (\d+) steps?, each of (\d+)")
_MEMORY = re.compile(r"MemoryError|bad_alloc|ResourceExhausted|OOM when allocating")
"""How Python, C++ and TensorFlow say that there is no more; Linux kills."""
_POLL_S, _GRACE_S = 0.1, 60.0


@dataclasses.dataclass(frozen=True)
class TimedSteps:
    """What the process said and took.

    Attributes:
        lines: what the command says of data, network and device.
        start_s: from its start to the end of its first step, about.
        step_s: a step after the first; None if it was done before one was timed.
        whole_s: the whole command, if it was done before a step was timed.
        epochs, steps, batch_size: of the whole run; steps are those of an epoch.
        peak_bytes: most memory that the process had; None where the system does not say.
    """

    lines: tuple[str, ...]
    start_s: float
    step_s: float | None
    whole_s: float | None
    epochs: int
    steps: int
    batch_size: int
    peak_bytes: int | None

    def seconds(self, epochs_done: int = 0) -> float:
        """The whole command's time, without validations and pictures.

        Args:
            epochs_done: before, by the run that it goes on with.
        """
        if self.step_s is None:
            return self.whole_s or 0.0
        return self.start_s + (self.epochs - epochs_done) * self.steps * self.step_s


def time_steps(command: str, flags: Sequence[str]) -> TimedSteps:
    """Runs a training command until it has timed a step.

    Args:
        command: `search`, `pretrain` or `finetune`.
        flags: as on its command line; its `--output_dir` is not used.

    Raises:
        InputError: the command refuses, or says nothing for `LONGEST_S`.
    """
    if os.environ.get("TF_CONFIG"):
        raise InputError(
            "TF_CONFIG is set, and the other machines would be waited for: a dry run is "
            "of one machine. Unset TF_CONFIG for it."
        )
    with tempfile.TemporaryDirectory(prefix="lgcnet_dry_run_") as folder:
        place = pathlib.Path(folder, "run")
        said = pathlib.Path(folder, "said.txt")
        with open(said, "w") as out:
            begin = time.monotonic()
            process = subprocess.Popen(
                [
                    *stage_command(command),
                    *flags,
                    f"--output_dir={place}",
                    "--tracker=none",
                ],  # fmt: skip
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=out,
            )
            try:
                took_s, peak_bytes = _watched(process, said, begin)
                status = process.poll()
            finally:
                _end(process)
        lines = said.read_text(errors="replace").splitlines()
        step_s = _step_of(lines)
        done = (place / RESULTS).exists()
        if step_s is None and not done:
            raise InputError(_refusal(lines, status, command, peak_bytes))
    plan = next(filter(None, map(_EPOCHS.search, lines)), None)
    epochs, steps, batch_size = map(int, plan.groups()) if plan else (0, 0, 0)
    timed = 5 if step_s is None else max(5, round(5.0 / step_s))
    return TimedSteps(
        tuple(line for line in lines if line.startswith(_SAID)),
        max(0.0, took_s - timed * (step_s or 0.0)),
        step_s,
        took_s if done else None,
        epochs,
        steps,
        batch_size,
        peak_bytes,
    )


def _watched(process, said, begin) -> tuple[float, int | None]:
    """Seconds until a step was timed or the process has ended, and its peak memory."""
    peak = None
    while True:
        peak = max(filter(None, (peak, _peak_of(process.pid))), default=None)
        ended = process.poll() is not None
        took_s = time.monotonic() - begin
        lines = said.read_text(errors="replace").splitlines()
        if ended or _step_of(lines) is not None or took_s > LONGEST_S:
            return took_s, peak
        time.sleep(_POLL_S)


def _step_of(lines):
    found = next(filter(None, map(_STEP.match, lines)), None)
    return float(found.group(1)) if found else None


def _peak_of(pid: int) -> int | None:
    """Peak of a running process' memory in bytes, as Linux tells it."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    found = re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)
    return 1024 * int(found.group(1)) if found else None


def _end(process):
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _refusal(lines, status: int | None, command, peak_bytes: int | None) -> str:
    """What the command said last, without its name before it, or why it ended.

    Args:
        lines: what it said.
        status: of its exit; None where it was given up.
        peak_bytes: its memory.
    """
    told = [line for line in lines if line and not line.startswith("Pass --help")]
    if status is None:
        return (
            f"no step of {command} was timed within {LONGEST_S:.0f} s; smaller crops or "
            "batches (--crop_size, --batch_size) are quicker."
        )
    if status == -signal.SIGKILL or any(_MEMORY.search(line) for line in told):
        held = f" when it had {peak_bytes / 1e9:.1f} GB" if peak_bytes else ""
        return (
            f"{command} ran out of memory{held}, before a step was timed; smaller crops "
            "or batches (--crop_size, --batch_size) need less."
        )
    if status == 1 and told:
        return told[-1].partition(": ")[2] or told[-1]
    last = f": {told[-1]}" if told else "."
    return f"{command} ended with status {status} before a step was timed{last}"
