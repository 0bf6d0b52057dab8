"""`import lgcnet_tf`: its names, their examples, the whole path through them."""

import doctest
import importlib
import inspect
import json
import os
import pathlib
import pkgutil
import runpy
import subprocess
import sys

import numpy as np
import pytest

import lgcnet_tf as lt
from lgcnet_tf.commands import choose, finetune

ROOT = pathlib.Path(__file__).parents[2]
PATH = (
    "list_models", "load", "load_dataset", "register_dataset", "Skeleton", "Genotype",
    "Network", "deploy",
    "measure_latency", "LatencyTable", "search", "SearchResult", "derive", "choose", "finetune",
    "evaluate",
    "Evaluation", "export", "Server", "Client", "InputError",
    "Operation", "Unit", "register_operation",
    "FusionNode", "FusionEdge", "FusionTable", "register_fusion",
    "FusionHead", "register_head",
    "Runtime", "register_runtime", "register_communication",
)  # fmt: skip
"""The order in which the examples build on one another."""


def every_module():
    """Imports all modules of the package that can be imported here."""
    for found in pkgutil.walk_packages(lt.__path__, "lgcnet_tf."):
        if found.name.endswith("__main__"):
            continue
        try:
            importlib.import_module(found.name)
        except ModuleNotFoundError as error:
            assert not (error.name or "").startswith("lgcnet_tf"), error


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    """Runs the example of a name, after those before it; how many fail of how many."""
    every_module()
    # Its trainings are processes; as such `lgcnet run` tests them.
    stage, choose.run_stage = (
        choose.run_stage,
        lambda *given: finetune.finetune(given[2]),
    )
    names, done, here = {}, {}, os.getcwd()
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    os.chdir(tmp_path_factory.mktemp("examples"))

    def run(name):
        for each in PATH[: PATH.index(name) + 1]:
            if each in done:
                continue
            text = inspect.getdoc(getattr(lt, each))
            test = doctest.DocTestParser().get_doctest(text, names, each, each, 0)
            said = []
            result = runner.run(test, out=said.append, clear_globs=False)
            names.update(test.globs)
            done[each] = result.failed, result.attempted, "".join(said)
        return done[name]

    yield run
    os.chdir(here)
    choose.run_stage = stage


def test_names_are_all_shown():
    public = set(lt.__all__) - {"__version__"}
    assert public == set(PATH)
    assert set(lt.__all__) <= set(dir(lt))


@pytest.mark.parametrize("name", PATH)
def test_example(name, examples):
    failed, attempted, said = examples(name)
    assert attempted and not failed, said


def test_no_module_bears_a_public_name():
    every_module()
    for name in lt.__all__:
        assert not inspect.ismodule(getattr(lt, name)), name


def test_importing_costs_nothing():
    program = "import sys, lgcnet_tf; print(sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    for heavy in ("numpy", "keras", "tensorflow", "PIL"):
        assert f"'{heavy}'" not in done.stdout


def test_every_option_is_in_signature_and_docstring():
    from lgcnet_tf.commands.search import SearchOptions

    names = set(SearchOptions().__dict__) - {"output_dir", "latency_table"}
    assert names < set(inspect.signature(lt.search).parameters)
    for name in names:
        assert f"\n    {name}: " in lt.search.__doc__
    assert "--" not in lt.search.__doc__.partition("Options:")[2]


@pytest.mark.parametrize(
    "arguments, error, words",
    [
        (
            {"batch_size": "many"},
            lt.InputError,
            "^batch_size takes a whole number, such as 16",
        ),
        ({"epochs": 0}, lt.InputError, "^epochs must be at least 1. Received: 0"),
        ({"epochs": True}, lt.InputError, "epochs takes a whole number"),
        ({"batchsize": 3}, TypeError, "Did you mean 'batch_size'?"),
        ({"latency_table": "t.json"}, TypeError, "no argument 'latency_table'"),
        (
            {"sampling": "odd"},
            lt.InputError,
            "^sampling must be one of soft, per_image, hard",
        ),
        ({}, lt.InputError, "absent.json: no such file"),
        (
            {"min_latency_ms": 3},
            lt.InputError,
            "^min_latency_ms and max_latency_ms go with search_strategy=random",
        ),
    ],
)
def test_errors_name_the_argument(arguments, error, words):
    with pytest.raises(error, match=words.replace("?", "\\?")):
        lt.search("absent.json", **arguments)


def test_deriving_needs_a_search():
    with pytest.raises(lt.InputError, match="result of `search`.*Received: None"):
        lt.derive(None)  # type: ignore[arg-type]
    with pytest.raises(lt.InputError, match="result of `search`.*Received: 3"):
        lt.choose(3)  # type: ignore[arg-type]


def test_other_classes_than_the_data_set():
    with pytest.raises(
        lt.InputError, match="num_classes is 3, dataset=toy_streets has"
    ):
        lt.measure_latency(lt.Skeleton(num_classes=3))


def test_a_finished_run_is_read_and_another_one_refused(make_table, tmp_path):
    skeleton = lt.Skeleton(
        num_classes=8, initial_channels=2, num_cells=2, reduction_cells=(1,),
        fusion="none",
    )  # fmt: skip
    table = make_table(skeleton, (32, 64))
    settings = {"search_strategy": "random", "output_dir": tmp_path / "run"}
    first = lt.search(table, **settings)
    assert first.genotype.skeleton == skeleton
    assert first.results == json.loads((tmp_path / "run/results.json").read_text())
    again = lt.search(table, seed=np.int64(0), **settings)
    assert (again.genotype, again.results) == (first.genotype, first.results)
    with pytest.raises(lt.InputError, match="already holds a finished run"):
        lt.search(table, seed=1, **settings)
    with pytest.raises(
        lt.InputError, match="of another run; choose another output_dir"
    ):
        lt.search(make_table(skeleton, (32, 64), seed=1), **settings)


def test_the_example_script_goes_the_whole_path(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["search_toy_streets.py", "--quick"])
    script = ROOT / "examples" / "search_toy_streets.py"
    runpy.run_path(str(script), run_name="__main__")
    printed = capsys.readouterr().out
    assert "mIoU" in printed and "the server's mask: (32, 64)" in printed
    assert not list(tmp_path.iterdir())
