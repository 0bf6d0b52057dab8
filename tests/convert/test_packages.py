import pathlib
import tomllib

import pytest

from lgcnet_tf.convert.packages import IN_EXTRA, import_package
from lgcnet_tf.errors import InputError


def test_names_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ai_edge_litert", None)
    with pytest.raises(InputError) as error:
        import_package("ai_edge_litert", "runtime litert")
    assert str(error.value) == (
        "runtime litert: needs the package ai-edge-litert; pip install "
        "'lgcnet_tf[runtimes]'."
    )


def test_without_an_extra():
    with pytest.raises(InputError, match="pip install 'no_such_package'"):
        import_package("no_such_package.part", "x")


def test_tensorflow_is_in_no_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "tensorflow", None)
    with pytest.raises(InputError) as error:
        import_package("tensorflow", "runtime tensorflow_graph")
    assert str(error.value) == (
        "runtime tensorflow_graph: needs the package tensorflow; pip install "
        "'tensorflow'."
    )


def test_the_extra_is_what_pyproject_says():
    root = pathlib.Path(__file__).parents[2]
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    extra = project["optional-dependencies"]["runtimes"]
    assert sorted(IN_EXTRA) == sorted(name.replace("-", "_") for name in extra)


def test_what_is_there():
    assert import_package("json", "x").loads("1") == 1
