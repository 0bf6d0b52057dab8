"""A table and its check, timed where there is no TensorFlow."""

import dataclasses
import json
import shutil
import subprocess
import sys

import keras
import numpy as np
import pytest

from lgcnet_tf.commands import for_device
from lgcnet_tf.commands.check_latency import CheckOptions, check_latency
from lgcnet_tf.commands.measure_latency import MeasureOptions, measure_latency
from lgcnet_tf.errors import InputError
from lgcnet_tf.latency.estimate import CostModel
from lgcnet_tf.latency.measure import table_workloads
from lgcnet_tf.latency.table import LatencyTable

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="needs Keras on TensorFlow"
)

SETTINGS = {
    "input_size": (32, 64),
    "num_cells": 1,
    "reduction_cells": (),
    "initial_channels": 2,
    "fusion": "none",
    "cell_operations": ("none", "skip_connect", "max_pool_3x3", "conv_3x3"),
    "runtime": "onnxruntime",
    "repeats": 3,
    "warmup": 1,
    "calibration_networks": 8,
}

WITHOUT = """
import runpy, sys
for name in ("tensorflow", "keras", "lgcnet_tf", "onnx", "tf2onnx"):
    sys.modules[name] = None  # importing it is an error
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """The run folder of a table that a device timed, and what the commands returned."""
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("tf2onnx")
    root = tmp_path_factory.mktemp("device")
    options = MeasureOptions(**SETTINGS, for_device=True, output_dir=str(root / "run"))
    written = measure_latency(options)
    assert not (root / "run/results.json").exists()
    device = root / "board"
    shutil.copytree(written["for_device"], device)
    plan = json.loads((device / "plan.json").read_text())
    # As if it had been interrupted after two rounds of the operations. On a busy machine
    # a third may be lost in the noise; the median is above 0 whatever it is.
    begun = {key: [7.0, 9.0] for key in plan["operations"]}
    facts = {name: plan[name] for name in plan["facts"]}
    facts |= {"device": "a board", "threads": 1}
    facts["runtime_version"] = onnxruntime.__version__
    (device / "samples.json").write_text(
        json.dumps(
            {"facts": facts, "operations": begun, "networks": {}, "reference": []}
        )
    )
    command = [sys.executable, "-I", "-c", WITHOUT, str(device / "time_models.py")]
    done = subprocess.run(
        [*command, "--threads=1", "--device=a board"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "timing networks: 30 of 30" in done.stdout
    shutil.copy(device / "samples.json", written["for_device"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lgcnet_tf.latency.options.RuntimeOptions.make_runtime", None)
        results = measure_latency(options)
    return root / "run", written, results


def test_what_is_said(measured):
    folder, written, _ = measured
    log = (folder / "log.txt").read_text()
    assert f"{written['files']} files" in log
    assert "pip install numpy onnxruntime" in log and "time_models.py" in log
    assert "the same command again" in log and "goes on" in log


def test_the_table_is_the_devices(measured):
    folder, _, results = measured
    table = LatencyTable.load(folder / "latency_table.json")
    assert results["device"] == table.device == "a board"
    assert (table.runtime, table.threads, table.precision) == (
        "onnxruntime", 1, "float32",
    )  # fmt: skip
    samples = json.loads((folder / "device/samples.json").read_text())
    assert table.date == samples["facts"]["date"]
    work = table_workloads(table.skeleton, table.input_size)
    assert table.entries.keys() == {w.key for w in work}
    for key, times in samples["operations"].items():
        assert times[:2] == [7.0, 9.0] and len(times) == 3  # it went on
        assert table.entries[key].median_us == max(round(np.median(times), 3), 0.0)
    assert table.calibration.networks.keys() == samples["networks"].keys()
    assert len(table.calibration.networks) == 8
    assert table.reference_us > 0 and table.drift >= 1.0
    assert results["latency_range_ms"][0] < results["latency_range_ms"][1]


@pytest.fixture
def samples(measured, tmp_path):
    """Writes a changed copy of the device's samples; a function changes it."""
    text = (measured[0] / "device/samples.json").read_text()

    def write(change):
        found = json.loads(text)
        change(found)
        path = tmp_path / "samples.json"
        path.write_text(json.dumps(found))
        return str(path)

    return write


def test_times_come_out_as_they_are_given(samples, tmp_path):
    def change(found):
        for place, key in enumerate(sorted(found["operations"])):
            found["operations"][key] = [10.0 * (place + 1)] * 3
        for place, name in enumerate(sorted(found["networks"])):
            found["networks"][name] = [1000.0 + place] * 30
        found["reference"] = [5.0, 5.0, 10.0]

    folder = tmp_path / "run"
    options = MeasureOptions(
        **SETTINGS, samples=samples(change), output_dir=str(folder)
    )
    measure_latency(options)
    table = LatencyTable.load(folder / "latency_table.json")
    medians = {key: entry.median_us for key, entry in table.entries.items()}
    assert medians == {
        key: 10.0 * (place + 1) for place, key in enumerate(sorted(medians))
    }
    assert (table.reference_us, table.drift) == (5.0, 1.8)
    networks = table.calibration.networks
    assert networks == pytest.approx(
        {name: 1000.0 + place for place, name in enumerate(sorted(networks))}
    )


def test_samples_without_the_networks(samples, tmp_path):
    folder = tmp_path / "run"
    options = MeasureOptions(
        **SETTINGS,
        samples=samples(lambda found: found["networks"].clear()),
        output_dir=str(folder),
    )
    with pytest.raises(InputError, match="not complete, it has 0 of 8 networks"):
        measure_latency(options)
    assert not folder.exists()


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"for_device": True, "runtime": "tensorflow_graph"}, "not for tensorflow_graph"),
        ({"for_device": True, "quick": True}, "--quick estimates on this device"),
        ({"for_device": True, "samples": "s.json"}, "give one of both"),
        ({"samples": "s.json", "threads": 2}, "leave out --threads"),
    ],
)  # fmt: skip
def test_options_that_do_not_go_together(changes, words):
    with pytest.raises(InputError, match=words):
        MeasureOptions(**SETTINGS | changes).check()


def test_a_check_on_the_device(measured, tmp_path, monkeypatch):
    table = LatencyTable.load(measured[0] / "latency_table.json")
    asked = {}

    def written(folder, about, skeleton, operations, networks, **settings):
        asked.update(networks=networks, operations=operations, **settings)
        folder.release()
        return {}

    monkeypatch.setattr("lgcnet_tf.commands.check_latency.write_device_folder", written)
    options = CheckOptions(
        latency_table=str(measured[0] / "latency_table.json"),
        networks=4,
        repeats=2,
        for_device=True,
        output_dir=str(tmp_path / "check"),
    )
    assert check_latency(options) == {}
    assert asked["operations"] == () and asked["network_repeats"] == 2
    assert len(asked["networks"]) >= 4 + 6  # those of the calibration come along
    # They take just what the table says.
    costs = CostModel(table, table.skeleton, table.input_size)
    found = json.loads((measured[0] / "device/samples.json").read_text())
    found["operations"] = {}
    found["networks"] = {
        name: [costs.predicted_latency(genotype)] * 2
        for name, genotype in asked["networks"].items()
    }
    folder = tmp_path / "check" / for_device.FOLDER
    folder.mkdir()
    (folder / "samples.json").write_text(json.dumps(found))
    results = check_latency(options)
    assert results["agreement"]["median_abs_error"] < 1e-3
    assert results["device"] == "a board" and results["threads"] == 1
    wrong = dataclasses.replace(table, runtime="tensorflow_graph")
    wrong.save(tmp_path / "table.json")
    options = dataclasses.replace(
        options,
        latency_table=str(tmp_path / "table.json"),
        output_dir=str(tmp_path / "other"),
    )
    with pytest.raises(InputError, match="which need no TensorFlow; not for"):
        check_latency(options)
