import json

import keras
import numpy as np
import pytest

from lgcnet_tf.commands.finetune import FinetuneOptions
from lgcnet_tf.errors import InputError
from lgcnet_tf.run_folder import RunFolder
from lgcnet_tf.training.fit import fit


@pytest.fixture
def start(small_samples, make_small_model, tmp_path):
    """Trains a new model in a folder; a second call goes on there."""

    def start(name="run", epochs=3, model=None, on_epoch_begin=None, measure=None):
        model = model or make_small_model()
        options = FinetuneOptions(
            output_dir=str(tmp_path / name),
            epochs=epochs,
            batch_size=2,
            crop_size=(16, 16),
            scale_min=0.8,
            scale_max=1.2,
        )
        folder = RunFolder(options, "finetune")
        history = fit(
            model,
            small_samples,
            folder,
            options,
            callbacks=[
                keras.callbacks.LambdaCallback(
                    on_epoch_begin=on_epoch_begin
                    and (lambda epoch, logs: on_epoch_begin(epoch))
                )
            ],
            measures=[measure] if measure else [],
        )
        return model, history

    return start


def without_time(history):
    return [{k: v for k, v in e.items() if k != "seconds"} for e in history]


def stop_at(epoch):
    def hook(current):
        if current == epoch:
            raise KeyboardInterrupt
        return {}

    return hook


def test_an_entry_for_each_epoch(start, tmp_path):
    _, history = start(measure=lambda epoch: {"figure": 10.0 * epoch})
    assert [entry["epoch"] for entry in history] == [1, 2, 3]
    assert [entry["figure"] for entry in history] == [0.0, 10.0, 20.0]
    for entry in history:
        assert 0 < entry["loss"] < 10
        assert entry["learning_rate"] == pytest.approx(0.1)
        assert entry["seconds"] > 0
    assert history[-1]["loss"] < history[0]["loss"]
    assert json.loads((tmp_path / "run/history.json").read_text()) == history
    names = sorted(path.name for path in (tmp_path / "run/checkpoints").iterdir())
    assert names == ["epoch_0002.npz", "epoch_0003.npz"]
    log = (tmp_path / "run/log.txt").read_text()
    assert "epoch 3/3: " in log


def test_epochs_are_counted_from_0(start):
    begun = []
    start(on_epoch_begin=begun.append)
    assert begun == [0, 1, 2]


@pytest.mark.parametrize("stop", [0, 1, 2])
@pytest.mark.parametrize("where", ["on_epoch_begin", "measure"])
def test_stopped_and_started_again_ends_the_same(start, tmp_path, stop, where):
    whole, expected = start("whole")
    with pytest.raises(KeyboardInterrupt):
        start("stopped", **{where: stop_at(stop)})
    saved = tmp_path / "stopped/history.json"
    done = json.loads(saved.read_text()) if saved.exists() else []
    assert len(done) == stop
    begun = []
    model, history = start("stopped", on_epoch_begin=begun.append)
    assert begun == list(range(stop, 3))
    assert without_time(history) == without_time(expected)
    variables = [
        [keras.ops.convert_to_numpy(v) for v in [*m.weights, *m.optimizer.variables]]
        for m in (whole, model)
    ]
    for a, b in zip(*variables, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_run_at_its_end_trains_no_more(start):
    _, expected = start()
    begun = []
    model, history = start(on_epoch_begin=begun.append)
    assert begun == []
    assert history == expected


def test_damaged_newest_checkpoint_costs_an_epoch(start, tmp_path):
    whole, expected = start("whole")
    with pytest.raises(KeyboardInterrupt):
        start("stopped", on_epoch_begin=stop_at(2))
    newest = tmp_path / "stopped/checkpoints/epoch_0002.npz"
    newest.write_bytes(newest.read_bytes()[:-200])
    model, history = start("stopped")
    assert without_time(history) == without_time(expected)
    for a, b in zip(whole.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_loss_that_became_nan(start, make_small_model, tmp_path):
    model = make_small_model()

    def poison(epoch):
        if epoch == 1:
            kernel = model.get_layer("conv").kernel
            kernel.assign(np.full(kernel.shape, np.nan))

    with pytest.raises(InputError) as caught:
        start(model=model, on_epoch_begin=poison)
    good = tmp_path / "run/checkpoints/epoch_0001.npz"
    message = str(caught.value)
    assert "became nan at step 1 of epoch 2" in message
    assert str(good) in message
    assert "\n" not in message
    assert [path.name for path in good.parent.iterdir()] == [good.name]
    with np.load(good) as data:
        for name in set(data.files) - {"meta.json"}:
            assert np.isfinite(data[name]).all()
    assert len(json.loads((tmp_path / "run/history.json").read_text())) == 1


def test_loss_that_became_nan_before_any_checkpoint(start, make_small_model):
    model = make_small_model(learning_rate=1e38)
    with pytest.raises(InputError, match=r"step [23] of epoch 1; .* none yet"):
        start(model=model)
