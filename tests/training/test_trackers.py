"""Figures for other trackers: MLflow's and W&B's own stores where they are installed."""

import sys
import types

import pytest

from lgcnet_tf.errors import InputError
from lgcnet_tf.files import read_json
from lgcnet_tf.training.trackers import TrackerFigures, open_tracker

HISTORY = [
    {"epoch": 1, "loss": 2.0, "per_class_iou": {"road": 0.5}, "name": "x"},
    {"epoch": 2, "loss": 1.0, "per_class_iou": {"road": None}, "name": "y"},
]


class Recorder:
    run_id = "a"

    def __init__(self):
        self.logged = []

    def log(self, step, figures):
        self.logged.append((step, figures))


def test_each_epoch_once_also_of_a_run_that_goes_on():
    tracker, history = Recorder(), []
    callback = TrackerFigures(tracker, history)
    callback.on_train_begin()
    history.append(HISTORY[0])
    callback.on_epoch_end(0)
    again = TrackerFigures(tracker, history)
    again.on_train_begin()
    history.append(HISTORY[1])
    again.on_epoch_end(1)
    assert tracker.logged == [
        (1, {"loss": 2.0, "per_class_iou/road": 0.5}),
        (2, {"loss": 1.0}),
    ]


def test_wandb_is_opened_again_by_its_own_name(tmp_path, monkeypatch):
    calls = []

    def init(**settings):
        calls.append(settings)
        return types.SimpleNamespace(id=settings["id"] or "new", log=calls.append)

    monkeypatch.setitem(sys.modules, "wandb", types.SimpleNamespace(init=init))
    for _ in range(2):
        open_tracker("wandb", tmp_path, {"epochs": 3})
    assert [call["id"] for call in calls] == [None, "new"]
    assert calls[0]["config"] == {"epochs": 3} and calls[0]["resume"] == "allow"
    with pytest.raises(InputError, match="went to wandb"):
        open_tracker("mlflow", tmp_path, {})


def test_mlflow_keeps_the_figures(tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    mlflow.set_tracking_uri((tmp_path / "store").as_uri())
    for entry in HISTORY:  # the second in a run that goes on
        tracker = open_tracker("mlflow", tmp_path, {"epochs": 2})
        tracker.log(entry["epoch"], {"loss": entry["loss"]})
        tracker.close()
    run_id = read_json(tmp_path / "tracker.json")["run_id"]
    client = mlflow.MlflowClient()
    found = client.get_metric_history(run_id, "loss")
    assert [(one.step, one.value) for one in found] == [(1, 2.0), (2, 1.0)]
    assert client.get_run(run_id).data.params == {"epochs": "2"}


def test_refuses(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="one of wandb, mlflow"):
        open_tracker("other", tmp_path, {})
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(InputError, match="pip install wandb"):
        open_tracker("wandb", tmp_path, {})
    assert not list(tmp_path.iterdir())
