"""The package imports only downwards, and `BUILD` names all of it."""

import ast
import functools
import importlib.util
import pathlib
import re
import shutil
import subprocess
import tomllib

import pytest

from lgcnet_tf.bin.table import COMMANDS

ROOT = pathlib.Path(__file__).parents[1]
PACKAGE = ROOT / "lgcnet_tf"

ORDER = (
    "cpu",
    "errors",
    "interruption",
    "terminal",
    "files",
    "extensions",
    "flagfiles",
    "config",
    "events",
    "run_folder",
    "data",
    "space",
    "model",
    "convert",
    "runtimes",
    "guidance",
    "latency",
    "evaluation",
    "figures",
    "training",
    "architecture_search",
    "serving",
    "report",
    "sweep",
    "commands",
    "api",
    "bin",
)
"""Rooms and modules of the package; each imports only what stands before it."""

ABOVE = {"__init__", "__main__"}
"""Modules of the package that stand above all rooms."""

SHARED = {"__init__", "common", "flags", "help", "table"}
"""Modules of `bin` that are no binaries."""


def rooms():
    """Names of the package's folders and modules."""
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    modules = {path.stem for path in PACKAGE.glob("*.py")} - ABOVE
    return folders | modules


def imported_rooms(tree, module):
    """Rooms that a module's source imports anywhere, also inside functions."""
    found = set()
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = module.split(".")[: -node.level]
                base = ".".join([*parents, *([base] if base else [])])
            names = [f"{base}.{alias.name}" for alias in node.names]
        for name in names:
            parts = name.split(".")
            if parts[0] == "lgcnet_tf" and len(parts) > 1:
                found.add(parts[1])
    return found


@functools.cache
def imports():
    """The rooms that each room imports, but for itself, with the file that does."""
    found = {room: {} for room in rooms()}
    for path in sorted(PACKAGE.rglob("*.py")):
        relative = path.relative_to(ROOT)
        parts = relative.with_suffix("").parts
        if parts[1] in ABOVE:
            continue
        tree = ast.parse(path.read_text(), str(path))
        for room in imported_rooms(tree, ".".join(parts)) - {parts[1]}:
            found[parts[1]][room] = str(relative)
    return found


def targets():
    """Name to list of dependencies of each `py_library` written out in BUILD."""
    found = {}
    for node in ast.walk(ast.parse((ROOT / "BUILD").read_text())):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "py_library":
            keywords = {k.arg: k.value for k in node.keywords}
            deps = ast.literal_eval(keywords["deps"]) if "deps" in keywords else []
            name = ast.literal_eval(keywords["name"])
            found[name] = [dep.removeprefix(":") for dep in deps]
    return found


def listed(rule, variable):
    """What BUILD's comprehension over `rule` goes through."""
    for node in ast.walk(ast.parse((ROOT / "BUILD").read_text())):
        if isinstance(node, ast.ListComp) and node.elt.func.id == rule:
            (loop,) = node.generators
            targets = ast.walk(loop.target)
            if variable in [n.id for n in targets if isinstance(n, ast.Name)]:
                return ast.literal_eval(loop.iter)
    raise AssertionError(f"BUILD makes no {rule} for each {variable}")


def test_every_room_has_its_place():
    assert rooms() == set(ORDER)


@pytest.mark.parametrize("room", ORDER)
def test_imports_only_downwards(room):
    below = ORDER[: ORDER.index(room)]
    upwards = {r: path for r, path in imports()[room].items() if r not in below}
    assert not upwards


@pytest.mark.parametrize(
    "source",
    [
        "import lgcnet_tf.architecture_search.build",
        "from lgcnet_tf.architecture_search import build",
        "from lgcnet_tf import architecture_search",
        "def f():\n    from lgcnet_tf.architecture_search.build import build",
        "from ..architecture_search import architecture",
        "from .. import architecture_search",
    ],
)
def test_an_import_is_seen_however_it_is_written(source):
    assert imported_rooms(ast.parse(source), "lgcnet_tf.space.skeleton") == {
        "architecture_search"
    }


@pytest.mark.parametrize("room", [room for room in ORDER if room != "bin"])
def test_build_names_the_room_with_what_it_imports(room):
    found = targets()
    assert room in found
    assert sorted(set(found[room])) == found[room]
    assert set(found[room]) - {"package"} == set(imports()[room])


def test_build_names_every_binary():
    modules = {p.stem for p in (PACKAGE / "bin").glob("*.py")} - SHARED - {"lgcnet"}
    binaries = listed("py_binary", "binary")
    assert set(binaries) == modules == {each.name for each in COMMANDS}
    for binary in binaries:
        path = PACKAGE / "bin" / f"{binary}.py"
        tree = ast.parse(path.read_text())
        assert imported_rooms(tree, f"lgcnet_tf.bin.{binary}") == {"bin"}
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert scripts == {"lgcnet": "lgcnet_tf.bin.lgcnet:main"} | {
        each.program: f"lgcnet_tf.bin.{each.name}:main" for each in COMMANDS
    }


def test_build_names_every_test():
    tests = ROOT / "tests"
    folders = {path.parent.name for path in tests.glob("*/test_*.py")}
    assert set(listed("py_test", "room")) == folders
    assert set(listed("py_test", "test")) == {p.stem for p in tests.glob("test_*.py")}


@pytest.mark.skipif(not shutil.which("bazel"), reason="bazel is not installed")
def test_bazel_reads_it(tmp_path):
    command = ["bazel", f"--output_user_root={tmp_path}", "--batch", "query", "//..."]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    found = set(re.findall(r"^//:(\S+)$", done.stdout, re.MULTILINE))
    assert {room for room in ORDER if room != "bin"} < found
    assert {
        "lgcnet-search",
        "lgcnet-plot",
        "test_architecture_search",
        "test_files",
    } < found


def test_every_import_names_what_is_there():
    """Imports inside functions too, which a module's own import does not try."""
    missing = []
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.ImportFrom) or node.level:
                continue
            if not (node.module or "").startswith("lgcnet_tf"):
                continue
            try:
                module = importlib.import_module(node.module)
            except ImportError as error:
                if (error.name or "").startswith("lgcnet_tf"):
                    missing.append(f"{path}: {error}")
                continue  # needs a package that is not installed
            for name in (alias.name for alias in node.names):
                inside = f"{node.module}.{name}"
                if not hasattr(module, name) and not importlib.util.find_spec(inside):
                    missing.append(f"{path}: {inside}")
    assert not missing
