import keras
import numpy as np
import pytest

from lgcnet_tf.training.checkpoint import restore_checkpoint, save_checkpoint


@pytest.fixture
def model(make_small_model):
    model = make_small_model()
    train(model)
    return model


def train(model):
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (2, 16, 16, 3), np.uint8)
    model.train_on_batch(images, generator.integers(0, 8, (2, 16, 16)))


def state(model):
    metrics = {id(v) for v in model.metrics_variables}
    variables = [*model.variables, *model.optimizer.variables]
    return [keras.ops.convert_to_numpy(v) for v in variables if id(v) not in metrics]


def equal(one, two):
    return all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))


def test_everything_comes_back(model, tmp_path):
    saved = state(model)
    save_checkpoint(model, tmp_path, 3, {"history": [{"loss": 1.5}]})
    train(model)
    assert not equal(saved, state(model))
    assert restore_checkpoint(model, tmp_path) == (3, {"history": [{"loss": 1.5}]})
    assert equal(saved, state(model))


def test_random_state_comes_back(model, tmp_path):
    """Dropout draws the same as it would have without the interruption."""
    save_checkpoint(model, tmp_path, 1, {})
    train(model)
    expected = state(model)
    restore_checkpoint(model, tmp_path)
    train(model)
    assert equal(expected, state(model))


def test_into_a_new_model(model, make_small_model, tmp_path):
    save_checkpoint(model, tmp_path, 1, {})
    other = make_small_model()
    assert restore_checkpoint(other, tmp_path)[0] == 1
    assert equal(state(model), state(other))


def test_no_checkpoint(model, tmp_path):
    before = state(model)
    assert restore_checkpoint(model, tmp_path / "absent") is None
    assert equal(before, state(model))


def test_the_last_two_are_kept(model, tmp_path):
    for epoch in (8, 9, 10, 11):
        save_checkpoint(model, tmp_path, epoch, {})
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["epoch_0010.npz", "epoch_0011.npz"]
    assert restore_checkpoint(model, tmp_path)[0] == 11


def truncate(data):
    return data[: len(data) // 2]


def flip(data):
    middle = len(data) // 2
    return data[:middle] + bytes(255 - b for b in data[middle : middle + 64]) + data[
        middle + 64 :
    ]


@pytest.mark.parametrize(
    "damage",
    [truncate, flip, lambda data: b"", lambda data: b"text", lambda data: data[:100]],
    ids=["truncated", "flipped", "empty", "text", "header"],
)
def test_damaged_newest_is_skipped(model, tmp_path, damage):
    save_checkpoint(model, tmp_path, 1, {"history": [1]})
    good = state(model)
    train(model)
    newest = save_checkpoint(model, tmp_path, 2, {"history": [1, 2]})
    newest.write_bytes(damage(newest.read_bytes()))
    train(model)
    assert restore_checkpoint(model, tmp_path) == (1, {"history": [1]})
    assert equal(good, state(model))


def test_a_failed_write_leaves_the_one_before(model, tmp_path, monkeypatch):
    save_checkpoint(model, tmp_path, 1, {})
    real = np.savez

    def full_disk(file, **arrays):
        real(file, **dict(list(arrays.items())[:3]))
        raise OSError("No space left on device")

    monkeypatch.setattr(np, "savez", full_disk)
    with pytest.raises(OSError, match="No space left"):
        save_checkpoint(model, tmp_path, 2, {})
    assert [path.name for path in tmp_path.iterdir()] == ["epoch_0001.npz"]
