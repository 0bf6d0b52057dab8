import dataclasses
import json

import keras
import numpy as np
import pytest
from PIL import Image

from lgcnet_tf.commands import measure_latency as command
from lgcnet_tf.commands.check_latency import (
    FIGURE,
    CheckOptions,
    _verdict,
    check_latency,
    differences,
    summary_lines,
)
from lgcnet_tf.commands.measure_latency import MeasureOptions, measure_latency
from lgcnet_tf.commands.progress_bars import ProgressBars
from lgcnet_tf.errors import InputError
from lgcnet_tf.latency.agreement import agreement
from lgcnet_tf.latency.estimate import CostModel
from lgcnet_tf.latency.table import LatencyTable
from lgcnet_tf.runtimes import get_runtime
from lgcnet_tf.runtimes.device.timing import levelled_medians
from lgcnet_tf.space import uniform

SPACE = {
    "input_size": (32, 64),
    "num_cells": 1,
    "reduction_cells": (),
    "initial_channels": 2,
    "fusion": "none",
    "fusion_taps": (),
    "cell_operations": ("none", "skip_connect", "max_pool_3x3", "conv_3x3"),
}


@pytest.fixture(scope="module")
def table_path(tmp_path_factory):
    """A table measured and calibrated for real, on TensorFlow graphs."""
    if keras.backend.backend() != "tensorflow":
        pytest.skip("needs Keras on TensorFlow")
    folder = tmp_path_factory.mktemp("latency") / "table"
    options = MeasureOptions(
        **SPACE, repeats=3, warmup=1, calibration_networks=8, output_dir=str(folder)
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(command, "DRIFT_WARNING", 0.0)
        results = measure_latency(options)
    assert results["calibration"]["networks"] == 8
    assert results["drift"] >= 1.0
    log = (folder / "log.txt").read_text()
    assert "noise: " in log and "calibrated by 8 networks" in log
    assert "measure again then" in log
    return folder / "latency_table.json"


@pytest.fixture(scope="module")
def checked(table_path, tmp_path_factory):
    """The folder of a check of 6 networks and one genotype, and its results."""
    folder = tmp_path_factory.mktemp("check")
    table = LatencyTable.load(table_path)
    genotype = folder / "mine.json"
    uniform(table.skeleton, "conv_3x3").save(genotype)
    options = CheckOptions(
        latency_table=str(table_path),
        networks=6,
        model=str(genotype),
        repeats=3,
        output_dir=str(folder / "run"),
    )
    return folder / "run", check_latency(options), str(genotype)


def test_results(checked, table_path):
    folder, results, genotype = checked
    assert json.loads((folder / "results.json").read_text()) == results
    rows = results["networks"]
    assert len(rows) == 7
    assert [row["network"] for row in rows if row["searched"]] == [genotype]
    table = LatencyTable.load(table_path)
    bare = dataclasses.replace(table, calibration=None)
    for calibrated, name, key in (
        (table, "predicted_ms", "agreement"),
        (bare, "uncalibrated_ms", "uncalibrated"),
    ):
        costs = CostModel(calibrated, table.skeleton, table.input_size)
        expected = costs.predicted_latency(uniform(table.skeleton, "conv_3x3")) / 1000.0
        assert rows[-1][name] == pytest.approx(expected)
        found = agreement([r[name] for r in rows], [r["measured_ms"] for r in rows])
        assert results[key] == found
    assert results["latency_table"] == table.table_id
    speed = results["speed"]
    assert 0.1 < speed < 10.0
    at_speed = agreement(
        [r["predicted_ms"] for r in rows], [speed * r["measured_ms"] for r in rows]
    )
    found = results["at_table_speed"]
    assert found["bias"] == pytest.approx(at_speed["bias"], abs=2e-3)
    samples = json.loads((folder / "samples.json").read_text())["networks"]
    assert len(set(samples) & set(table.calibration.networks)) == 6
    medians = levelled_medians(samples)
    ratios = [
        then / medians[name]
        for name, then in table.calibration.networks.items()
        if name in samples
    ]
    assert speed == pytest.approx(np.median(ratios), rel=1e-3)
    assert all(np.isfinite(row["measured_ms"]) for row in rows)


def test_the_scatter_plot(checked):
    folder, *_ = checked
    assert Image.open(folder / FIGURE).size[0] > 400


def test_words(checked):
    _, results, genotype = checked
    lines = summary_lines(results)
    assert lines[0].startswith("table: Spearman ")
    assert lines[1].startswith("at the machine's speed of then: Spearman ")
    assert lines[2].startswith("its bare medians: Spearman ")
    assert lines[3].startswith(f"{genotype}: predicted ")
    assert lines[-1].startswith("verdict: ")
    uncalibrated = {k: v for k, v in results.items() if k != "uncalibrated"}
    assert "bare medians" not in "".join(summary_lines(uncalibrated))


@pytest.mark.parametrize(
    "now, then, verdict, words",
    [
        ((0.96, 0.09), (0.5, 0.5), "true", "tells the truth"),
        ((0.99, 0.70), (0.99, 0.03), "true at another speed", "measure it again if"),
        ((0.94, 0.09), (0.94, 0.09), "false", "do not rely on"),
        ((0.99, 0.11), None, "false", "do not rely on"),
    ],
)
def test_verdict(now, then, verdict, words):
    results = {"networks": [], "speed": None}
    for key, figures in (("agreement", now), ("at_table_speed", then)):
        if figures:
            names = "spearman", "median_abs_error", "pearson", "p90_abs_error", "bias"
            results[key] = dict(zip(names, (*figures, 0.9, 0.2, 0.0)))
    results["verdict"] = found = _verdict(results)
    assert found == verdict
    assert words in summary_lines(results)[-1]


def test_samples_of_an_interrupted_check_are_used(checked, table_path, tmp_path):
    folder, results, genotype = checked
    unfinished = tmp_path / "run"
    unfinished.mkdir()
    flags = (folder / "flags.txt").read_text().replace(str(folder), str(unfinished))
    (unfinished / "flags.txt").write_text(flags)
    (unfinished / "samples.json").write_bytes((folder / "samples.json").read_bytes())
    options = CheckOptions(
        latency_table=str(table_path),
        networks=6,
        model=genotype,
        repeats=3,
        output_dir=str(unfinished),
    )
    assert check_latency(options)["networks"] == results["networks"]


def test_what_differs_is_named(table_path):
    table = LatencyTable.load(table_path)
    runtime = get_runtime("tensorflow_graph")
    assert differences(table, runtime) == []
    other = dataclasses.replace(table, runtime_version="1.0", device="a phone")
    device, version = differences(other, runtime)
    assert device == f"measured with device a phone, here it is {runtime.device}"
    assert version.startswith("measured with runtime version 1.0, here it is 2.")
    entries = {k: e for k, e in table.entries.items() if not k.startswith("argmax")}
    (line,) = differences(dataclasses.replace(table, entries=entries), runtime)
    assert line == "measured without the argmax, which its predictions lack"


def test_refusals(table_path, tmp_path, genotype):
    with pytest.raises(InputError, match="--latency_table is missing"):
        check_latency(CheckOptions(output_dir=str(tmp_path / "run")))
    genotype.save(tmp_path / "large.json")
    options = CheckOptions(
        latency_table=str(table_path),
        model=str(tmp_path / "large.json"),
        output_dir=str(tmp_path / "run"),
    )
    with pytest.raises(InputError, match="large.json: belongs to another search space"):
        check_latency(options)
    assert not (tmp_path / "run").exists()


def test_no_control_codes_where_no_terminal_is(capsys):
    bars = ProgressBars()
    for done in (1, 2):
        bars("measuring", done, 2)
    found = capsys.readouterr()
    assert found.err.startswith("measuring: 2 rounds, ") and found.out == ""
    assert found.err.count("\n") == 1 and found.err.endswith("\n")
    assert "\x1b" not in found.err and "\r" not in found.err


def test_a_few_calibration_networks_are_refused(tmp_path):
    options = MeasureOptions(
        **SPACE, calibration_networks=3, output_dir=str(tmp_path / "run")
    )
    with pytest.raises(InputError, match="0 or at least 8. Received: 3"):
        measure_latency(options)
