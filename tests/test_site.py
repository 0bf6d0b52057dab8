"""The pages of the documentation that are made: commands, functions, tutorials."""

import dataclasses
import importlib
import importlib.util
import pathlib
import re

import pytest

import lgcnet_tf
from lgcnet_tf.bin.table import COMMANDS

ROOT = pathlib.Path(__file__).parents[1]


@pytest.fixture(scope="module")
def made():
    spec = importlib.util.spec_from_file_location("made", ROOT / "docs/made_pages.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("command", COMMANDS, ids=lambda each: each.name)
def test_every_flag_is_on_the_page(made, command):
    page = made.commands_page()
    section = page.split(f"## {command.program}\n")[1].split("\n## ")[0]
    options = getattr(importlib.import_module(command.module), command.options)
    shown = re.findall(r"^\| `--(?:\[no\])?(\w+)", section, re.MULTILINE)
    assert sorted(shown) == sorted(f.name for f in dataclasses.fields(options))


def test_every_public_name_is_on_the_page(made):
    shown = re.findall(r"^::: lgcnet_tf\.[\w.]+\.(\w+)$", made.api_page(), re.MULTILINE)
    assert set(shown) == set(lgcnet_tf.__all__) - {"__version__"}


def test_a_tutorial_is_text_and_the_whole_code(made):
    for name in made.TUTORIALS:
        page = made.tutorial_page(name)
        shown = "".join(re.findall(r"```python\n(.*?)```", page, re.DOTALL))
        source = (ROOT / "examples" / f"{name}.py").read_text()
        statements = source.split('"""', 2)[2]
        code = re.sub(r"^# .*\n", "", statements, flags=re.MULTILINE)
        plain = lambda text: [line for line in text.splitlines() if line.strip()]
        assert plain(re.sub(r"^# .*\n", "", shown, flags=re.M)) == plain(code)
        assert "%%" not in page


def test_the_menu_has_every_page(made):
    listed = set(
        re.findall(r": ([\w/]+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.M)
    )
    written = {path.name for path in (ROOT / "docs").glob("*.md")}
    assert listed == written | set(made.pages())


def test_links_lead_to_pages(made):
    """MkDocs checks them all; this one is there without MkDocs."""
    pages = made.pages() | {
        path.name: made.to_pages(path.read_text())
        for path in (ROOT / "docs").glob("*.md")
    }
    for name, text in pages.items():
        text = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
        for target in re.findall(r"\]\(([^)#:]+\.md)(?:#[^)]*)?\)", text):
            found = (pathlib.PurePosixPath(name).parent / target).as_posix()
            assert found in pages, (name, target)


def anchors(text):
    """What headings are called in links, as MkDocs and GitHub do."""
    headings = re.findall(r"^#+ (.*)", text, re.MULTILINE)
    plain = [re.sub(r"[^\w\- ]", "", heading.lower()).strip() for heading in headings]
    return {heading.replace(" ", "-") for heading in plain}


TEXTS = [
    *ROOT.glob("*.md"),
    *(path for name in ("docs", "benchmarks", "serving", "cluster", "lgcnet_tf")
      for path in (ROOT / name).rglob("*.md")),
]  # fmt: skip


@pytest.mark.parametrize("page", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_to_files_in_the_repository(page):
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    found = re.findall(r"\]\(([^)\s]+)\)", text)
    dead = []
    for target in (one for one in found if not re.match(r"\w+:", one)):
        path, _, anchor = target.partition("#")
        file = page.parent / path if path else page
        if not file.exists() or (anchor and anchor not in anchors(file.read_text())):
            dead.append(target)
    assert not dead
