import json

import pytest

from lgcnet_tf.commands.benchmark import BenchmarkOptions, benchmark, table_cells
from lgcnet_tf.errors import InputError


def options(models, folder, **changes):
    fields = {"repeats": 3, "warmup": 1, "memory": False, **changes}
    names = ",".join(map(str, models))
    return BenchmarkOptions(model=names, output_dir=str(folder), **fields)


def test_each_by_its_runtime(exported, trained, tmp_path, capsys):
    models = [trained, *exported.values()]
    results = benchmark(options(models, tmp_path / "run"))
    assert results == json.loads((tmp_path / "run" / "results.json").read_text())
    rows = results["models"]
    assert [row["runtime"] for row in rows] == [
        "tensorflow_graph",
        "onnxruntime",
        "openvino",
        "litert",
        "tensorflow_graph",
    ]
    assert rows[0]["ratio"] == 1.0
    for row in rows:
        assert 0 < row["median_ms"] <= row["p90_ms"] and row["ratio"] > 0
        assert row["fps"] == pytest.approx(1000 / row["median_ms"])
        assert row["peak_memory_mb"] is None
    assert len({row["macs"] for row in rows[:2]}) == 1
    printed = capsys.readouterr().out
    assert all(f"{row['median_ms']:.1f} ms" in printed for row in rows)
    assert "onnxruntime" in printed and "32x64" in printed


def test_batch_precision_and_threads(trained, tmp_path):
    pytest.importorskip("onnxruntime")
    settings = {"runtime": "onnxruntime", "batch_size": 4, "threads": 1}
    results = benchmark(
        options([trained], tmp_path / "run", precision="int8", **settings)
    )
    (row,) = results["models"]
    assert (row["precision"], row["batch_size"], row["threads"]) == ("int8", 4, 1)
    assert row["fps"] == pytest.approx(4000 / row["median_ms"])


def test_memory_is_that_of_each_model(exported, tmp_path):
    models = [exported["onnx"], exported["litert"]]
    rows = benchmark(options(models, tmp_path / "run", memory=True))["models"]
    for row in rows:
        assert 0.1 < row["peak_memory_mb"] < 500


@pytest.mark.parametrize("models", [[], ["lgcnet_camvid", "lgcnet_camvid"]])
def test_names_of_models(models, tmp_path):
    with pytest.raises(InputError, match="one or more different models"):
        benchmark(options(models, tmp_path / "run"))


def test_bad_model_leaves_no_folder(tmp_path):
    with pytest.raises(InputError, match="absent.onnx: no such file"):
        benchmark(options([tmp_path / "absent.onnx"], tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_table_shows_what_is_not_known_as_a_dash():
    row = {
        "model": "m",
        "runtime": "litert",
        "input_size": [8, 8],
        "params": None,
        "macs": None,
        "peak_memory_mb": None,
        "median_ms": 1.0,
        "p90_ms": 2.0,
        "fps": 1000.0,
        "ratio": 1.0,
    }
    assert table_cells([row])[1][0][3:6] == ("-", "-", "-")
