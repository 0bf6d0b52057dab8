"""All commands under one name: `lgcnet search --flag=value ...`."""

import sys

from lgcnet_tf.bin import common
from lgcnet_tf.bin.help import overview, version
from lgcnet_tf.bin.table import COMMANDS, command
from lgcnet_tf.errors import did_you_mean


def main():
    name, *rest = sys.argv[1:] or ["--help"]
    program = "lgcnet"
    if name == "help" and rest:  # `lgcnet help search` as `lgcnet search --help`
        name, rest = rest[0], ["--help"]
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
        names = [each.name.replace("_", "-") for each in COMMANDS]
        hint = did_you_mean(name, names)
        common.fail(f"unknown command {name!r}.{hint} One of {', '.join(names)}.")
    sys.argv[0] = f"{program} {name}"
    common.run_command(found)


if __name__ == "__main__":
    main()
