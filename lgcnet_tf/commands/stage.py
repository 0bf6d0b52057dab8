"""A part of a longer path: a command as a process of its own.

Such parts could not share one: a search and a deterministic training set TensorFlow's
graph optimiser and kernels for the whole process, which would then time and evaluate
otherwise than `lgcnet-evaluate` does; memory of the GPU that TensorFlow took it gives
back with the process alone; and a part that runs out of memory takes nothing with it.
"""

import subprocess
import time

from lgcnet_tf.config import RunOptions
from lgcnet_tf.errors import InputError
from lgcnet_tf.interruption import INTERRUPTION
from lgcnet_tf.run_folder import RESULTS, RunFolder, flag_lines
from lgcnet_tf.sweep.trial import stage_command

_POLL_S = 0.2


def run_stage(name: str, command: str, options: RunOptions, folder: RunFolder) -> None:
    """Runs a command as a process that says on this one's outputs what it has to say.

    Args:
        name: of the stage; a sub-folder of the run's, which gets the command's results.
        command: its name.
        options: its options.
        folder: of the run.

    Raises:
        InputError: it left no results.
        Interrupted: a signal came and it has ended.
    """
    folder.log.info("%s: begins", name)
    begin = time.monotonic()
    INTERRUPTION.defer()  # the stage has to save and leave first
    process = subprocess.Popen(
        stage_command(command) + flag_lines(options),
        stdin=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C reaches this process alone
    )
    told = False
    try:
        while process.poll() is None:
            if INTERRUPTION.requested and not told:
                process.terminate()
                told = True
            time.sleep(_POLL_S)
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait()
    if INTERRUPTION.requested:
        INTERRUPTION.leave(f"stopped in the stage {name}; the same command goes on.")
    INTERRUPTION.allow()
    if not (folder / name / RESULTS).exists():
        status = process.returncode
        ended = f"signal {-status}" if status < 0 else f"exit status {status}"
        raise InputError(
            f"the stage {name} ended without results ({ended}); its last line says why, "
            "and the same command goes on there."
        )
    folder.log.info("%s: took %.0f s", name, time.monotonic() - begin)
