"""The best weights beside the last: which they are, and after interruptions."""

import keras
import numpy as np
import pytest

from lgcnet_tf.commands.finetune import FinetuneOptions
from lgcnet_tf.run_folder import RunFolder
from lgcnet_tf.training.best import Best
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
    best = Best("val_miou", lambda path: None)
    assert best.epoch_of(history) == epoch
    found = best.results(history)
    assert found.get("best_epoch") == epoch
    assert found.get("best_val_miou") == (figures[epoch - 1] if epoch else None)


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

        best = Best("val_miou", save)
        folder = RunFolder(options, "finetune")
        fit(model, small_samples, folder, options, measures=[measure], best=best)
        saved = keras.saving.load_model(folder / "best.keras", compile=False)
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
