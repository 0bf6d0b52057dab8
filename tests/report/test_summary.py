"""The closing table, line by line."""

import json

import numpy as np

from lgcnet_tf.evaluation.evaluate import EvaluationResult
from lgcnet_tf.report import summary_table
from lgcnet_tf.report.summary import headline


def test_every_figure_with_its_unit(results):
    lines = summary_table(results | {"predicted_latency_ms": 24.0}, "val").splitlines()
    assert lines[0] == "val"
    rows = [line.rsplit("   ", 1) for line in lines if "   " in line]
    rows = {name.strip(): value.strip() for name, value in rows}
    assert rows == {
        "mIoU": "61.25 %",
        "pixel accuracy": "90.00 %",
        "images": "101",
        "predicted latency": "24.00 ms",
        "measured latency": "25.00 ms",
        "frames per second": "40.0",
        "parameters": "2.090 M",
        "multiply-accumulates": "5.250 G",
        "road": "72.50 %",
        "sky": "50.00 %",
        "<cat>": "absent",
    }
    assert len({len(line) for line in lines[1:]}) == 1


def test_what_is_absent_is_left_out():
    assert "latency" not in summary_table({"miou": 0.5})
    assert "mIoU" in summary_table({"miou": 0.5})
    assert summary_table({"miou": None, "params": 3e6}).count("\n") == 2


def test_takes_what_an_evaluation_writes():
    result = EvaluationResult(
        ("a", "b"), np.array([0.5, np.nan]), 0.5, 0.75, np.zeros((2, 2), int), 4
    )
    text = summary_table(json.loads(json.dumps(result.to_dict())))
    assert "50.00 %" in text and "absent" in text and "75.00 %" in text


def test_says_what_was_measured_on_what():
    eight_bits = {
        "runtime": "onnxruntime", "precision": "int8", "calibration": "random pixels",
    }  # fmt: skip
    graph = {"runtime": "tensorflow_graph", "precision": "float32", "calibration": None}
    found = dict(headline({"measured_on": {"accuracy": eight_bits, "latency": graph}}))
    assert found == {
        "accuracy measured on": "onnxruntime, int8, calibrated by random pixels",
        "latency measured on": "tensorflow_graph, float32",
    }
    random = {"weights": "random", "measured_on": {"accuracy": None, "latency": graph}}
    assert dict(headline(random)) == {
        "weights": "random", "latency measured on": "tensorflow_graph, float32",
    }  # fmt: skip


def test_the_best_of_a_training():
    found = {"best_val_miou": 0.5, "best_epoch": 3, "best_model": "best.keras"}
    assert headline(found) == [("best mIoU on the validation split", "50.00 %")]
