"""A stage of a trial as a process that does not outlive the sweep.

Called as `python -m lgcnet_tf.sweep.child PARENT COMMAND --flag=…`: runs
`lgcnet_tf.bin.COMMAND` and asks Linux for a SIGTERM when the process PARENT
ends, however that ends. Elsewhere a sweep killed with SIGKILL leaves its
running stages to finish by themselves.
"""

import ctypes
import os
import runpy
import signal
import sys

_PR_SET_PDEATHSIG = 1


def end_with_parent(parent: int) -> None:
    """Has SIGTERM sent to this process when its parent's thread ends."""
    if not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it had ended before the request
        sys.exit(1)


def main() -> None:
    parent, command = sys.argv[1:3]
    end_with_parent(int(parent))
    sys.argv[1:3] = []
    runpy.run_module(f"lgcnet_tf.bin.{command}", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
