import errno
import logging
import pathlib
import re

import keras
import numpy as np
import pytest

from lgcnet_tf.architecture_search.build import build_search_model
from lgcnet_tf.commands.search import SearchOptions
from lgcnet_tf.errors import InputError
from lgcnet_tf.latency.estimate import CostModel
from lgcnet_tf.training.checkpoint import (
    _variables,
    checkpoint_paths,
    load_checkpoint,
    restore,
    save_checkpoint,
    snapshot,
)

CLASSES = 8


@pytest.fixture
def model(make_small_model):
    model = make_small_model()
    train(model)
    return model


def train(model):
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (2, 16, 16, 3), np.uint8)
    model.train_on_batch(images, generator.integers(0, CLASSES, (2, 16, 16)))


def state(model):
    metrics = {id(v) for v in model.metrics_variables}
    variables = [*model.variables, *model.optimizer.variables]
    return [keras.ops.convert_to_numpy(v) for v in variables if id(v) not in metrics]


def equal(one, two):
    return all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))


def save(model, folder, epoch, step=0, history=()):
    return save_checkpoint(
        folder, snapshot(model), {"history": list(history)}, epoch, step
    )


def test_everything_comes_back(model, tmp_path):
    saved = state(model)
    path = save(model, tmp_path, 3, history=[{"loss": 1.5}])
    train(model)
    assert not equal(saved, state(model))
    found = load_checkpoint(tmp_path)
    assert (found.epoch, found.step, found.path) == (3, 0, path)
    assert found.state == {"history": [{"loss": 1.5}]}
    restore(model, found)
    assert equal(saved, state(model))


def test_random_state_comes_back(model, tmp_path):
    """Dropout draws the same as it would have without the interruption."""
    save(model, tmp_path, 1)
    train(model)
    expected = state(model)
    restore(model, load_checkpoint(tmp_path))
    train(model)
    assert equal(expected, state(model))


def test_metrics_come_back_inside_of_an_epoch(model, tmp_path):
    save(model, tmp_path, 1, step=2)
    expected = model.get_metrics_result()["loss"]
    model.reset_metrics()
    found = load_checkpoint(tmp_path)
    assert (found.epoch, found.step) == (1, 2)
    restore(model, found)
    assert model.get_metrics_result()["loss"] == 0.0
    restore(model, found, metrics=True)
    assert model.get_metrics_result()["loss"] == expected > 0.0


def test_into_a_new_model(model, make_small_model, tmp_path):
    """Whose automatic names have other numbers."""
    save(model, tmp_path, 1)
    other = make_small_model()
    assert other.variables[1].path != model.variables[1].path
    restore(other, load_checkpoint(tmp_path))
    assert equal(state(model), state(other))


def test_arrays_are_named_by_path(model):
    names = set(snapshot(model))
    assert {
        "sequential/conv/kernel",
        "sequential/norm/moving_mean",
        "seed_generator/seed_generator_state",
        "optimizer/sgd/iteration",
        "optimizer/sgd/sequential_conv_kernel_momentum",
        "metrics/loss/total",
    } <= names
    metrics = {id(v) for v in model.metrics_variables}
    variables = {id(v) for v in [*model.variables, *model.optimizer.variables]}
    assert len(names) == len(variables | metrics)


def counted_one_by_one(model):
    """The names, each found by looking through all before it."""
    numbered = re.compile(r"(.+)_\d+")
    metrics = {id(v) for v in model.metrics_variables}
    groups = (
        ("", [v for v in model.variables if id(v) not in metrics]),
        ("optimizer/", model.optimizer.variables),
        ("metrics/", model.metrics_variables),
    )
    roots, named = {}, {}
    for prefix, variables in groups:
        for variable in variables:
            root, _, rest = variable.path.partition("/")
            if root not in roots:
                match = numbered.fullmatch(root)
                base = match[1] if match else root
                count = sum(name.split(":")[0] == base for name in roots.values())
                roots[root] = f"{base}:{count}" if count else base
            if prefix == "optimizer/":
                own = [r for r in roots if rest.startswith(f"{r}_")]
                if own:
                    longest = max(own, key=len)
                    rest = roots[longest] + rest[len(longest) :]
            path = f"{prefix}{roots[root]}/{rest}"
            same = sum(name.split("#")[0] == path for name in named)
            named[f"{path}#{same}" if same else path] = variable
    return named


def test_names_of_a_search_model(make_table):
    """All of them as they were when they were counted in quadratic time."""
    options = SearchOptions(
        initial_channels=2, num_cells=3, reduction_cells=(1, 2), fusion_taps=(0, 1, 2),
        fusion_channels=4, input_size=(32, 64), crop_size=(32, 64),
    )  # fmt: skip
    skeleton = options.skeleton(CLASSES)
    costs = CostModel(make_table(skeleton, (32, 64)), skeleton, (32, 64))
    model = build_search_model(options, skeleton, costs, steps=3)
    expected, found = counted_one_by_one(model), _variables(model)
    assert list(found) == list(expected) and len(found) > 500
    assert all(found[name] is expected[name] for name in expected)
    assert any(name.startswith("optimizer/") and ":" in name for name in found)


def test_variables_of_the_same_path_are_told_apart(tmp_path):
    """As of two layers that were given the same name."""

    class Twins(keras.Model):
        def __init__(self):
            super().__init__(name="twins")
            self.twins = [keras.layers.Dense(2, name="twin") for _ in range(2)]

        def call(self, inputs):
            return self.twins[0](inputs) + self.twins[1](inputs)

    model = Twins()
    model(np.zeros((1, 2)))
    model.compile("sgd")
    model.optimizer.build(model.trainable_variables)
    for number, variable in enumerate(model.trainable_variables):
        variable.assign(np.full(variable.shape, number))
    expected = state(model)
    save(model, tmp_path, 1)
    for variable in model.trainable_variables:
        variable.assign(np.zeros(variable.shape))
    restore(model, load_checkpoint(tmp_path))
    assert equal(expected, state(model))


def test_no_checkpoint(tmp_path):
    assert load_checkpoint(tmp_path / "absent") is None


def names(folder):
    return [path.name for path in checkpoint_paths(folder)]


def test_the_last_two_are_kept(model, tmp_path):
    for epoch in (8, 9, 10, 11):
        save(model, tmp_path, epoch)
    assert names(tmp_path) == ["epoch_0010.npz", "epoch_0011.npz"]
    assert load_checkpoint(tmp_path).epoch == 11


def test_order_of_epochs_and_steps(model, tmp_path):
    """Step 12 of the third epoch lies between the ends of second and third."""
    save(model, tmp_path, 2)
    save(model, tmp_path, 2, step=12)
    assert names(tmp_path) == ["epoch_0002.npz", "epoch_0003_step_0012.npz"]
    assert load_checkpoint(tmp_path).step == 12
    save(model, tmp_path, 3)
    assert names(tmp_path) == ["epoch_0003_step_0012.npz", "epoch_0003.npz"]
    assert (load_checkpoint(tmp_path).epoch, load_checkpoint(tmp_path).step) == (3, 0)
    save(model, tmp_path, 3, step=9)
    save(model, tmp_path, 3, step=10000)
    assert names(tmp_path) == ["epoch_0004_step_0009.npz", "epoch_0004_step_10000.npz"]


def truncate(data):
    return data[: len(data) // 2]


def flip(data):
    middle = len(data) // 2
    return (
        data[:middle]
        + bytes(255 - b for b in data[middle : middle + 64])
        + data[middle + 64 :]
    )


@pytest.mark.parametrize(
    "damage",
    [truncate, flip, lambda data: b"", lambda data: b"text", lambda data: data[:100]],
    ids=["truncated", "flipped", "empty", "text", "header"],
)
@pytest.mark.parametrize("step", [0, 3])
def test_damaged_newest_is_skipped(model, tmp_path, caplog, damage, step):
    save(model, tmp_path, 1, history=[1])
    good = state(model)
    train(model)
    newest = save(model, tmp_path, 2, step, history=[1, 2])
    newest.write_bytes(damage(newest.read_bytes()))
    train(model)
    found = load_checkpoint(tmp_path, logging.getLogger("test"))
    assert (found.epoch, found.state) == (1, {"history": [1]})
    restore(model, found)
    assert equal(good, state(model))
    assert f"{newest} is damaged" in caplog.text


def test_all_damaged(model, tmp_path):
    save(model, tmp_path, 1).write_bytes(b"")
    with pytest.raises(InputError, match="no checkpoint in it can be read"):
        load_checkpoint(tmp_path)


@pytest.mark.parametrize(
    "damage, problem",
    [
        (lambda a: a.pop("sequential/conv/kernel"), "it has no sequential/conv/kernel"),
        (
            lambda a: a.update({"sequential/other/bias": np.zeros(2)}),
            "this model has no sequential/other/bias",
        ),
        (
            lambda a: a.update({"sequential/conv/bias": np.zeros(2)}),
            r"sequential/conv/bias is \(2,\) there and \(8,\) in this model",
        ),
        (
            lambda a: a.pop("metrics/loss/count"),
            "it has no metrics/loss/count",
        ),
    ],
)
def test_of_another_model(model, tmp_path, damage, problem):
    """One line names the first variable that does not fit; nothing changes."""
    arrays = snapshot(model)
    damage(arrays)
    save_checkpoint(tmp_path, arrays, {}, 1, 2)
    train(model)
    before = state(model)
    with pytest.raises(InputError, match=problem) as caught:
        restore(model, load_checkpoint(tmp_path), metrics=True)
    assert "epoch_0002_step_0002.npz does not fit" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert equal(before, state(model))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_failed_write_leaves_the_one_before(model, tmp_path, monkeypatch, number):
    save(model, tmp_path, 1)
    real = pathlib.Path.write_bytes

    def full_disk(path, data):
        real(path, bytes(data)[:1000])
        raise OSError(number, "full")

    monkeypatch.setattr(pathlib.Path, "write_bytes", full_disk)
    with pytest.raises(InputError, match="epoch_0002.npz: not written") as caught:
        save(model, tmp_path, 2)
    assert "give the same command again" in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["epoch_0001.npz"]
