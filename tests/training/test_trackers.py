"""Trackers: all that the events get, in MLflow's own store where it is installed."""

import dataclasses
import logging
import sys
import types

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from lgcnet_tf.commands.finetune import FinetuneOptions
from lgcnet_tf.errors import InputError
from lgcnet_tf.files import read_json
from lgcnet_tf.training import trackers
from lgcnet_tf.training.run import training_run
from lgcnet_tf.training.settings import NO_TRACKER, TRACKERS
from lgcnet_tf.training.trackers import KINDS, Forgiving, open_tracker

PICTURE = np.full((4, 6, 3), 7, np.uint8)


class Recorder:
    """A tracker that keeps what it gets in its class."""

    opened, figures, pictures = [], {}, {}

    def __init__(self, folder, name, settings, run_id):
        self.run_id = run_id or "first"
        self.opened.append((name, settings["epochs"], run_id))

    def scalars(self, step, figures):
        for name, value in trackers.numbers(figures).items():
            self.figures.setdefault(name, {})[step] = value

    def images(self, step, pictures):
        self.pictures |= {(name, step): array for name, array in pictures.items()}

    def close(self, finished):
        self.opened.append("finished" if finished else "broken off")


def test_they_have_names():
    assert set(TRACKERS) == {NO_TRACKER, *KINDS}


def test_a_run_gives_what_the_events_get(
    tmp_path, monkeypatch, small_samples, make_small_model
):
    monkeypatch.setitem(sys.modules, "mlflow", types.ModuleType("mlflow"))
    monkeypatch.setitem(KINDS, "mlflow", Recorder)
    options = FinetuneOptions(
        output_dir=str(tmp_path / "mine"), tracker="mlflow", epochs=2, batch_size=2,
        crop_size=(16, 16),
    )  # fmt: skip

    def part(stop):
        with training_run(options, "finetune") as run:
            folder = run.open_folder({})

            def measure(epoch):
                if epoch == stop:
                    raise KeyboardInterrupt
                folder.write_scalars(epoch + 1, {"val_iou/road": 0.1 * epoch})
                folder.write_images(epoch + 1, {"predictions": PICTURE})
                return {"val_miou": 0.25 * (epoch + 1)}

            history = run.fit(make_small_model(), small_samples, measures=[measure])
            folder.finish({"params": 12, "model": "model.keras"})
        return history

    with pytest.raises(KeyboardInterrupt):
        part(stop=1)
    history = part(stop=None)
    assert Recorder.opened == [
        ("mine", 2, None), "broken off", ("mine", 2, "first"), "finished",
    ]  # fmt: skip
    events = EventAccumulator(str(tmp_path / "mine" / "events")).Reload()
    scalars = {
        tag: {event.step: event.value for event in events.Scalars(tag)}
        for tag in events.Tags()["scalars"]
    }
    assert {"loss", "val_miou", "val_iou/road", "results/params"} <= set(scalars)
    assert set(Recorder.figures) == set(scalars)
    for tag, values in scalars.items():
        assert Recorder.figures[tag] == pytest.approx(values, rel=1e-6), tag
    assert Recorder.figures["loss"] == {e["epoch"]: e["loss"] for e in history}
    assert list(Recorder.pictures) == [("predictions", 1), ("predictions", 2)]
    assert (tmp_path / "mine" / "training_batches.png").exists()


def test_wandb_is_opened_again_by_its_own_name(tmp_path, monkeypatch):
    calls, logged, summary = [], [], {}

    def init(**settings):
        calls.append(settings)
        return types.SimpleNamespace(
            id=settings["id"] or "new",
            log=lambda figures, step: logged.append((step, figures)),
            summary=summary,
        )

    module = types.SimpleNamespace(init=init, Image=np.shape)
    monkeypatch.setitem(sys.modules, "wandb", module)
    for _ in range(2):
        tracker = open_tracker("wandb", tmp_path, {"epochs": 3})
    assert [call["id"] for call in calls] == [None, "new"]
    assert calls[0]["config"] == {"epochs": 3} and calls[0]["resume"] == "allow"
    tracker.scalars(3, {"loss": 1, "name": "x", "miou": float("nan"), "ok": True})
    tracker.images(3, {"predictions": PICTURE})
    tracker.scalars(0, {"results/params": 12})
    assert logged == [(3, {"loss": 1.0}), (3, {"predictions": (4, 6, 3)})]
    assert summary == {"results/params": 12.0}
    with pytest.raises(InputError, match="went to wandb"):
        open_tracker("mlflow", tmp_path, {})


def test_mlflow_keeps_the_figures(tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    mlflow.set_tracking_uri((tmp_path / "store").as_uri())
    for step in (1, 2):  # the second in a run that goes on
        tracker = open_tracker("mlflow", tmp_path, {"epochs": 2})
        named = {"val_iou/car (parked)": 0.5, "note": "x"}
        tracker.scalars(step, {"loss": 1.0 / step} | named)
        tracker.images(step, {"predictions": PICTURE})
        tracker.close(True)
    run_id = read_json(tmp_path / "tracker.json")["run_id"]
    client = mlflow.MlflowClient()
    found = client.get_metric_history(run_id, "loss")
    assert [(one.step, one.value) for one in found] == [(1, 1.0), (2, 0.5)]
    assert client.get_run(run_id).data.params == {"epochs": "2"}
    assert client.get_run(run_id).data.metrics["val_iou/car _parked_"] == 0.5
    pictures = [artifact.path for artifact in client.list_artifacts(run_id, "images")]
    assert sum(path.endswith(".png") for path in pictures) == 2
    assert client.get_run(run_id).info.status == "FINISHED"


def test_refuses(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="one of wandb, mlflow"):
        open_tracker("other", tmp_path, {})
    monkeypatch.setitem(sys.modules, "wandb", None)
    options = FinetuneOptions(output_dir=str(tmp_path / "run"), tracker="wandb")
    with (
        pytest.raises(InputError, match="--tracker=wandb: .*pip install wandb"),
        training_run(options, "finetune"),
    ):
        pass
    options = dataclasses.replace(options, tracker="other")
    with pytest.raises(InputError, match="--tracker must be one of none, wandb"):
        options.check()
    assert not list(tmp_path.iterdir())


def test_a_tracker_that_fails_ends_no_run(caplog):
    calls = []

    class Broken:
        def scalars(self, step, figures):
            calls.append(step)
            raise ConnectionError("no route\nto host")

        def close(self, finished):
            calls.append(finished)

    tracker = Forgiving(Broken(), logging.getLogger("lgcnet_tf"))
    for step in (1, 2):
        tracker.scalars(step, {"loss": 0.5})
    tracker.close(True)
    assert calls == [1]
    assert "gets nothing more: ConnectionError: no route" in caplog.text
