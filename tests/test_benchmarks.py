"""Benchmarks that go on where they were stopped."""

import argparse
import importlib.util
import pathlib

import pytest


@pytest.fixture
def common():
    path = pathlib.Path(__file__).parents[1] / "benchmarks" / "common.py"
    spec = importlib.util.spec_from_file_location("benchmarks_common", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def options(**changes):
    return argparse.Namespace(
        **{"output_dir": "", "networks": 3, "space": {}} | changes
    )


def test_figures_are_not_printed_again_as_if_measured_now(common, tmp_path):
    given = options(output_dir=str(tmp_path / "run"))
    folder = common.begin(given, "")
    assert common.begin(given, "") == folder  # goes on
    with pytest.raises(SystemExit, match="run: holds a run with other options"):
        common.begin(options(output_dir=str(folder), networks=4), "")
    assert common.end(folder, {"spearman": 0.5}) == {"spearman": 0.5}
    with pytest.raises(SystemExit, match="run: its run has ended"):
        common.begin(given, "")


def test_a_new_folder_after_the_end(common, tmp_path):
    default = f"{tmp_path}/run"
    first = common.begin(options(), default)
    common.end(first, {})
    second = common.begin(options(), default)
    assert (first.name, second.name) == ("run", "run_2")
    assert common.begin(options(), default) == second
    assert common.begin(options(networks=4), default).name == "run_3"


def test_a_folder_of_before_is_left_alone(common, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "table").mkdir()
    assert common.begin(options(), f"{tmp_path}/run").name == "run_2"
    with pytest.raises(SystemExit, match="not empty"):
        common.begin(options(output_dir=str(tmp_path / "run")), "")


def test_a_changed_table_is_another_run(common, tmp_path):
    table = tmp_path / "table.json"
    table.write_text("1")
    given = options(output_dir=str(tmp_path / "run"), latency_table=str(table))
    common.begin(given, "")
    table.write_text("2")
    with pytest.raises(SystemExit, match="other options"):
        common.begin(given, "")
