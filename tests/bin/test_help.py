"""`--help` and `--version` are quick and whole; wrong flags are told all at once."""

import json
import os
import subprocess
import sys

import pytest

from lgcnet_tf.bin.help import DRY_RUN, by_topic
from lgcnet_tf.bin.table import COMMANDS

HEAVY = ("tensorflow", "keras", "jax", "torch", "matplotlib", "grpc")

PROGRAM = f"""
import contextlib, importlib, io, json, sys

from lgcnet_tf.bin import common
from lgcnet_tf.bin.table import COMMANDS

told = {{}}
for each in COMMANDS:
    for flag in ("--help", "--version"):
        sys.argv[:] = [each.program, flag]
        importlib.import_module(f"lgcnet_tf.bin.{{each.name}}")
        with contextlib.redirect_stdout(io.StringIO()) as out:
            common.run_command(each)
        heavy = [name for name in {HEAVY} if name in sys.modules]
        told[f"{{each.name}} {{flag}}"] = out.getvalue(), heavy
print(json.dumps(told))
"""


def run(*arguments, **variables):
    """A process, with its outputs."""
    environment = {**os.environ, "COLUMNS": "80", **variables}
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, env=environment
    )


@pytest.fixture(scope="module")
def told():
    """What every command prints for `--help` and `--version`, and what it imported."""
    done = run("-c", PROGRAM)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return json.loads(done.stdout)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_help(command, told):
    text, heavy = told[f"{command.name} --help"]
    assert heavy == []
    assert text.startswith(f"{command.program}: ")
    words = " ".join(text.split())
    assert command.summary in words
    for part in command.example.split():
        assert part in words
    module = __import__(command.module, fromlist=[command.options])
    topics = by_topic(getattr(module, command.options))
    names = [field.name for fields in topics.values() for field in fields]
    assert sorted(names) == sorted(getattr(module, command.options)().__dict__)
    assert command.long == (f"--{DRY_RUN[0]} " in text) == (DRY_RUN[2] in words)
    for topic, fields in topics.items():
        assert f"\n{topic}:\n" in text
        for field in fields:
            flag = f"[no]{field.name}" if field.type is bool else f"{field.name}="
            assert f"--{flag}" in text
            assert " ".join(field.metadata["help"].split()) in words
    assert all(len(line) <= 80 for line in text.splitlines() if "--" not in line)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_examples_are_flags_of_their_command(command):
    module = __import__(command.module, fromlist=[command.options])
    options = getattr(module, command.options)()
    for part in command.example.split():
        if options.POSITIONAL and not part.startswith("--"):
            continue
        assert hasattr(options, part.partition("=")[0].removeprefix("--"))


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_version(command, told):
    text, heavy = told[f"{command.name} --version"]
    assert heavy == [] and text.split()[0] == command.program


def test_all_that_is_wrong_is_told_at_once(tmp_path):
    flagfile = tmp_path / "flags.txt"
    flagfile.write_text("--sampling=sometimes\n--weight_lr=0\n")
    done = run(
        "-m", "lgcnet_tf", "search", f"--flagfile={flagfile}", "--epochz=3", "there",
        "--batch_size=many", "--scale_min=3", "--input_size=3",
    )  # fmt: skip
    assert done.returncode == 1 and done.stdout == ""
    lines = done.stderr.splitlines()
    assert all(line.startswith("lgcnet search: ") for line in lines)
    expected = (
        "--sampling must be one of soft, per_image, hard. Received: 'sometimes'",
        "unknown flag --epochz. Did you mean --epochs?",
        "--batch_size takes a whole number. Received: 'many'",
        "--input_size takes a size, HEIGHTxWIDTH, such as 360x480. Received: '3'",
        "unknown argument 'there'",
        "--output_dir is missing",
        "--latency_table is missing: make one with lgcnet-measure-latency.",
        "--scale_min=3.0 is above --scale_max=2.0.",
        "--weight_lr must be above 0",
    )
    for words in expected:
        assert sum(words in line for line in lines) == 1, (words, lines)
    assert len(lines) == len(expected) + 1
    assert "Pass --help" in lines[-1]


@pytest.mark.parametrize(
    "arguments, status, words",
    [
        (["--help"], 0, "Commands:"),
        ([], 0, "measure-latency"),
        (["--version"], 0, "lgcnet "),
        (["serch"], 1, "unknown command 'serch'. Did you mean 'search'?"),
        (["help", "plot"], 0, "lgcnet plot: Draws what a run folder holds"),
        (["help", "plod"], 1, "Did you mean 'plot'?"),
        (
            [
                "evaluate",
                "--model=lgcnet_camvit",
                "--dataset=camvit",
                "--data_dir=/no/such",
                "--output_dir=out",
            ],
            1,
            "--model=lgcnet_camvit: no such model. Did you mean 'lgcnet_camvid'?",
        ),
        (
            [
                "finetune",
                "--model=lgcnet_camvid",
                "--dataset=camvit",
                "--output_dir=out",
            ],
            1,
            "--dataset=camvit: unknown. Did you mean 'camvid'?",
        ),
        (["check-latency", "--help"], 0, "lgcnet check-latency: Compares"),
        (["plot", "--flagfile=/no/such/file"], 1, "--flagfile: "),
    ],
)
def test_one_command_with_subcommands(arguments, status, words):
    done = run("-m", "lgcnet_tf", *arguments)
    assert done.returncode == status
    assert words in (done.stderr if status else done.stdout)
    assert (done.stdout if status else done.stderr) == ""
