"""The best weights beside the last: which they are, and after interruptions."""

import json

import keras
import numpy as np
import pytest

from lgcnet_tf.commands.finetune import FinetuneOptions
from lgcnet_tf.run_folder import RunFolder
from lgcnet_tf.training.best import BestWeights, best_epoch
from lgcnet_tf.training.fit import fit

COURSE = [0.3, 0.5, 0.4, 0.5]  # the second epoch is the best, not the equal fourth
BEST = 2


@pytest.mark.parametrize(
    "figures, epoch",
    [
        (COURSE, BEST),
        ([0.1, 0.2, 0.3], 3),
        ([None, 0.2, None, 0.1], 2),
        ([float("nan"), 0.0], 2),
        ([float("nan"), None], None),
        ([], None),
    ],
)
def test_the_first_of_the_largest(figures, epoch):
    history = [
        {"epoch": number, **({} if figure is None else {"val_miou": figure})}
        for number, figure in enumerate(figures, start=1)
    ]
    assert best_epoch(history, "val_miou") == epoch


@pytest.fixture
def run(small_samples, make_small_model, tmp_path):
    """Trains in a folder; dies before it writes the best weights for the nth time.

    Returns what `best.keras` holds and the weights at the end of each epoch.
    """

    def run(name, dies_at=0):
        model = make_small_model()
        options = FinetuneOptions(
            output_dir=str(tmp_path / name),
            epochs=len(COURSE),
            batch_size=2,
            crop_size=(16, 16),
        )
        weights, calls = [], 0

        def measure(epoch):
            weights.append(model.get_weights())
            return {"val_miou": COURSE[epoch]}

        def save(path):
            nonlocal calls
            calls += 1
            if calls == dies_at:
                raise KeyboardInterrupt
            model.save(path)

        best = BestWeights("val_miou", save)
        folder = RunFolder(options, "finetune")
        fit(model, small_samples, folder, options, measures=[measure], best=best)
        found = best.results()
        assert found["best_val_miou"] == COURSE[found["best_epoch"] - 1]
        saved = keras.saving.load_model(folder / found["best_model"], compile=False)
        return saved.get_weights(), weights

    return run


def assert_equal(some, others):
    for one, other in zip(some, others, strict=True):
        np.testing.assert_array_equal(one, other)


def test_they_are_those_of_the_best_epoch(run):
    best, weights = run("whole")
    assert_equal(best, weights[BEST - 1])
    assert any((a != b).any() for a, b in zip(best, weights[-1], strict=True))


def test_a_run_that_died_before_it_wrote_them_writes_them(run, tmp_path):
    whole, _ = run("whole")
    with pytest.raises(KeyboardInterrupt):
        run("died", dies_at=2)
    names = {path.name for path in (tmp_path / "died/checkpoints").iterdir()}
    assert f"epoch_000{BEST}.npz" in names  # its epoch is over and is not done again
    best, weights = run("died")
    assert len(weights) == len(COURSE) - BEST
    assert_equal(best, whole)


def test_a_run_begun_before_they_were_kept_keeps_them_from_there(run, tmp_path):
    """An earlier release's checkpoint; its first epoch was better, but is gone."""
    whole, _ = run("whole")
    with pytest.raises(KeyboardInterrupt):
        run("old", dies_at=2)
    (tmp_path / "old/best.keras").unlink()
    path = tmp_path / f"old/checkpoints/epoch_000{BEST}.npz"
    with np.load(path) as data:
        arrays = {name: data[name] for name in data.files}
    meta = json.loads(str(arrays["meta.json"]))
    assert meta["state"].pop("kept_since") == 0
    meta["state"]["history"][0]["val_miou"] = 0.9
    np.savez(path, **arrays | {"meta.json": np.array(json.dumps(meta))})
    best, _ = run("old")
    assert_equal(best, whole)
