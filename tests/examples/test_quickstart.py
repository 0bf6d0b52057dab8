"""The notebook runs from its first cell to its last."""

import json
import pathlib

import matplotlib
import pytest

pytest.importorskip("tensorflow")

NOTEBOOK = pathlib.Path(__file__).parents[2] / "examples" / "quickstart.ipynb"


@pytest.fixture(scope="module")
def cells():
    return json.loads(NOTEBOOK.read_text())["cells"]


def test_it_is_kept_without_results(cells):
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert code and not any(c["outputs"] or c["execution_count"] for c in code)


def test_every_cell_runs(cells, monkeypatch, capsys):
    """In this process, with one epoch; `make notebook` runs it in Jupyter, whole."""
    monkeypatch.setenv("QUICKSTART_QUICK", "1")
    with matplotlib.rc_context({"backend": "agg"}):
        names = {}
        for number, cell in enumerate(cells):
            if cell["cell_type"] == "code":
                exec(compile("".join(cell["source"]), f"cell {number}", "exec"), names)
        names["plt"].close("all")
    assert names["mask"].shape == names["streets"][1].label.shape
    assert "mIoU" in capsys.readouterr().out
