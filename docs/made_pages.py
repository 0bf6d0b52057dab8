"""Pages of the site that are made of the package, of scripts and of other folders' texts.

MkDocs calls `on_files` before it builds. Nothing here needs TensorFlow.
"""

import dataclasses
import importlib
import pathlib
import re
import sys
from typing import TYPE_CHECKING

ROOT = pathlib.Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import lgcnet_tf  # noqa: E402
from lgcnet_tf.bin.help import DRY_RUN, by_topic, flag_meaning, flag_text  # noqa: E402
from lgcnet_tf.bin.table import COMMANDS, Command  # noqa: E402

TEXTS = {
    "serving.md": "serving/README.md",
    "machines.md": "cluster/README.md",
    "contributing.md": "CONTRIBUTING.md",
    "changes.md": "CHANGELOG.md",
    "ablation.md": "benchmarks/ablation.md",
    "recipe.md": "benchmarks/recipe.md",
    "zoo.md": "lgcnet_tf/zoo/lgcnet_camvid/README.md",
    "zoo_fast.md": "lgcnet_tf/zoo/lgcnet_camvid_fast/README.md",
    "zoo_accurate.md": "lgcnet_tf/zoo/lgcnet_camvid_accurate/README.md",
}
"""Pages that are a text of the repository, unchanged but for its links."""

TUTORIALS = ("own_data", "sweep", "serving", "several_devices", "search_toy_streets")

OF_REPOSITORY = {
    "reproduction.md": "benchmarks/README.md",
    **TEXTS,
    **{f"tutorials/{name}.md": f"examples/{name}.py" for name in TUTORIALS},
    "commands.md": "lgcnet_tf/bin/table.py",
    "api.md": "lgcnet_tf/__init__.py",
}
"""What the pages of `docs/` link to in place of made pages: a reader of the repository
has files alone."""

FOUND = """# Reproduction: what we found

What this project measured, each figure with the command that gives it and with what
limits it. It is the text of `benchmarks/README.md`.

!!! warning "Before you compare with the paper"

    The paper trains for weeks on GPUs, on Cityscapes; all training here was done on a few
    CPU cores, on CamVid at small sizes. So the paper's accuracies are neither confirmed
    nor refuted. What is compared here are mechanisms (is the target met, does the table
    tell the truth, is a resumed run the same run) and costs. The validation split of
    CamVid is one clip of a drive that was trained on: the zoo's first network had 58.9 %
    there and 47 % on the test split. [The present one](zoo.md) has 43.6 % on a drive that
    was left out of its training, and needs 0.88 of the first one's time.

"""


if TYPE_CHECKING:
    from mkdocs.structure.files import Files


def on_files(files: "Files", config) -> "Files":
    """MkDocs' hook: adds the made pages to those that lie in `docs/`."""
    from mkdocs.structure.files import File

    for path, text in pages().items():
        files.append(File.generated(config, path, content=text))
    for path in (ROOT / "lgcnet_tf/zoo").glob("*/*.png"):
        files.append(File.generated(config, path.name, content=path.read_bytes()))
    return files


def on_page_markdown(markdown: str, page, **_) -> str:
    """MkDocs' hook: has links of the pages that lie in `docs/` lead to made pages."""
    return to_pages(markdown) if page.file.abs_src_path else markdown


def to_pages(text: str) -> str:
    """A text of `docs/`, with links to pages where it has those to files above it."""
    for page, path in OF_REPOSITORY.items():
        text = re.sub(rf"\]\(\.\./{re.escape(path)}([)#])", rf"]({page}\1", text)
    return text


def pages() -> dict[str, str]:
    """The made pages by their path below `docs/`."""
    texts = {page: adapt((ROOT / path).read_text()) for page, path in TEXTS.items()}
    _, _, found = (ROOT / "benchmarks/README.md").read_text().partition("\n")
    return texts | {
        "reproduction.md": FOUND + adapt(found),
        "commands.md": commands_page(),
        "api.md": api_page(),
        **{f"tutorials/{name}.md": tutorial_page(name) for name in TUTORIALS},
    }


def adapt(text: str) -> str:
    """Turns links between files of the repository into links between pages."""
    text = text.replace("](../docs/", "](")
    for page, path in TEXTS.items():
        text = text.replace(f"]({path})", f"]({page})")
    return text.replace("](docs/", "](")


def commands_page() -> str:
    """All commands with their flags, as their `--help` has them."""
    parts = [
        "# Commands",
        "After `make setup` each is a program in `.venv/bin`, and `lgcnet NAME` is the "
        "same. `--flagfile=FILE` reads flags from a file, `--help` prints what stands "
        "here. This page is made of the flags themselves.",
    ]
    for each in COMMANDS:
        parts += [f"## {each.program}", each.summary, *_example(each)]
        options = getattr(importlib.import_module(each.module), each.options)
        for topic, fields in by_topic(options).items():
            parts += [f"**{topic}**", _table(fields)]
        if each.long:
            parts.append(f"`--{DRY_RUN[0]}`: {DRY_RUN[2]}")
    return "\n\n".join(parts) + "\n"


def _example(command: Command) -> list[str]:
    return [f"```\n{command.program} {command.example}\n```"]


def _table(fields: list[dataclasses.Field]) -> str:
    rows = ["| flag | |", "|---|---|"]
    for field in fields:
        meaning = flag_meaning(field).replace("|", "\\|").replace("*", "\\*")
        rows.append(f"| `{flag_text(field)}` | {meaning} |")
    return "\n".join(rows)


def api_page() -> str:
    """The public names of `import lgcnet_tf`, from their docstrings."""
    parts = [
        "# Python",
        "`import lgcnet_tf as lt`. These names are public; each docstring's example is "
        "run by a test. What stands elsewhere may change without notice. `measure_latency`, "
        "`search`, `finetune`, `evaluate` and `export` also take the flags of their "
        "[commands](commands.md) as arguments.",
    ]
    for name, module in sorted(lgcnet_tf._MODULES.items()):
        parts.append(f"::: lgcnet_tf.{module}.{name}")
    return "\n\n".join(parts) + "\n"


def tutorial_page(name: str) -> str:
    """A script of `examples/` as a page: its comments are text, the rest is code.

    A cell begins with `# %% Title`; comment lines right below it are its text.
    """
    source = (ROOT / "examples" / f"{name}.py").read_text()
    docstring, code = re.fullmatch(r'"""(.*?)"""\n(.*)', source, re.DOTALL).groups()
    title, _, text = docstring.strip().partition("\n")
    parts = [f"# {title.rstrip('.')}", text.strip("\n")]
    parts.append(f"The script is `examples/{name}.py`.")
    first, *cells = re.split(r"^# %% ", code, flags=re.MULTILINE)
    parts += _code(first)
    for cell in cells:
        heading, *lines = cell.splitlines()
        end = next(
            (i for i, x in enumerate(lines) if not x.startswith("# ")), len(lines)
        )
        words = "\n".join(line.removeprefix("# ") for line in lines[:end])
        parts += [f"## {heading}", words, *_code("\n".join(lines[end:]))]
    return "\n\n".join(filter(None, parts)) + "\n"


def _code(text: str) -> list[str]:
    text = text.strip("\n")
    return [f"```python\n{text}\n```"] if text.strip() else []
