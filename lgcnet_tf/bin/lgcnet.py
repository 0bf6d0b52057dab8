"""All commands under one name: `lgcnet search --flag=value ...`."""

import sys

from lgcnet_tf.bin import common
from lgcnet_tf.bin.help import overview, version
from lgcnet_tf.bin.table import COMMANDS, command


def main():
    name, *rest = sys.argv[1:] or ["--help"]
    program = "lgcnet"
    if name in ("--help", "-h", "help"):
        print(overview(program))
        return
    if name == "--version":
        print(f"{program} {version()}")
        return
    sys.argv[:] = [program, *rest]
    try:
        found = command(name)
    except KeyError:
        names = ", ".join(each.name.replace("_", "-") for each in COMMANDS)
        common.fail(f"unknown command {name!r}; one of {names}.")
    sys.argv[0] = f"{program} {name}"
    common.run_command(found)


if __name__ == "__main__":
    main()
