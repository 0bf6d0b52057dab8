"""Trials through Ray Tune, where it is installed."""

import pytest

from lgcnet_tf.files import write_json
from lgcnet_tf.sweep.trial import STAGES, Trial

pytest.importorskip("ray.tune", reason="Ray Tune is not installed")


def test_outcomes(tmp_path):
    from lgcnet_tf.sweep.ray_launcher import run_on_ray

    trials = [
        Trial(name, {}, 0, f"trials/{name}", {"search": "no_such.txt"}, str(tmp_path))
        for name in ("done", "broken")
    ]
    for stage in STAGES:
        results = {"miou": 0.5, "predicted_latency_ms": 1.0}
        write_json(trials[0] / stage / "results.json", results)
    lines = []
    outcomes = run_on_ray(trials, 1, lambda: False, lines.append)
    assert outcomes["done"] == ""
    assert outcomes["broken"].startswith("search: ")
    assert "no_such.txt" in outcomes["broken"]
    assert "done: done" in lines
