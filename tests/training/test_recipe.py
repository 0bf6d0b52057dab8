"""A finetuning with every ingredient of a recipe at a time, at tiny size."""

import dataclasses
import json

import keras
import numpy as np
import pytest

from lgcnet_tf.commands.finetune import FinetuneOptions, finetune
from lgcnet_tf.data import load_samples
from lgcnet_tf.errors import InputError
from lgcnet_tf.interruption import INTERRUPTION, Interrupted
from lgcnet_tf.model.network import Network
from lgcnet_tf.model.zoo import load_network
from lgcnet_tf.space.genotype import uniform
from lgcnet_tf.space.skeleton import Skeleton

EPOCHS = 4
SKELETON = Skeleton(
    num_classes=8,
    initial_channels=2,
    num_cells=2,
    reduction_cells=(1,),
    fusion="none",
)


@pytest.fixture(scope="module")
def options(tmp_path_factory):
    """Everything is on; its teacher is another network."""
    folder = tmp_path_factory.mktemp("recipe")
    genotype = uniform(SKELETON, "conv_3x3")
    genotype.save(folder / "genotype.json")
    keras.utils.set_random_seed(3)
    Network(SKELETON, (48, 80), genotype).save(folder / "teacher.keras")
    return FinetuneOptions(
        model=str(folder / "genotype.json"),
        output_dir=str(folder / "run"),
        input_size=(48, 80),
        epochs=EPOCHS,
        batch_size=32,
        validate_every=EPOCHS,
        pictures_every=0,
        deterministic=True,
        class_weights="enet",
        ema=0.9,
        lovasz_weight=0.5,
        dice_weight=0.5,
        color_jitter=0.4,
        rare_crops=0.5,
        crop_schedule=("0:24x40", "0.5:32x48"),
        auxiliary_weight=0.4,
        teacher=(str(folder / "teacher.keras"),),
    )


@pytest.fixture(scope="module")
def whole(options):
    """Results and folder of a run that nothing disturbed."""
    return finetune(options), options.output_dir


def history(folder):
    with open(f"{folder}/history.json") as file:
        return [{k: v for k, v in e.items() if k != "seconds"} for e in json.load(file)]


def test_trains_with_everything(whole, options):
    results, folder = whole
    losses = [entry["loss"] for entry in history(folder)]
    assert np.isfinite(losses).all() and losses[-1] < losses[0]
    network = load_network(f"{folder}/model.keras")  # heads and teacher are not in it
    assert network.input_size == (48, 80)
    assert network.count_params() == results["params"]
    fresh = Network(SKELETON, (48, 80), network.genotype)
    assert [w.shape for w in network.get_weights()] == [
        w.shape for w in fresh.get_weights()
    ]


def test_the_rate_does_not_notice_the_sizes(whole, options):
    found = [entry["learning_rate"] for entry in history(whole[1])]
    done = np.arange(1, EPOCHS + 1) / EPOCHS
    np.testing.assert_allclose(found, options.lr * (1 - done) ** 0.9, atol=1e-8)


def test_the_log_names_the_rare_classes(whole):
    """Counted here by hand: with fewer than 1/16 of the labelled pixels."""
    samples = load_samples("toy_streets", "train")
    labels = np.concatenate([sample.label.ravel() for sample in samples])
    share = np.bincount(labels[labels != 255], minlength=8) / (labels != 255).sum()
    rare = ", ".join(
        f"{samples.info.class_names[i]} {100 * share[i]:.2g} %"
        for i in range(8)
        if share[i] < 1 / 16
    )
    with open(f"{whole[1]}/log.txt") as file:
        assert f"50 % of the crops look for a rare class: {rare}\n" in file.read()


def test_goes_on_exactly(whole, options, tmp_path, monkeypatch):
    """Told to stop inside an epoch of the second size and started again."""
    epoch = EPOCHS - 1
    broken = dataclasses.replace(options, output_dir=str(tmp_path / "broken"))
    steps = len(load_samples("toy_streets", "train")) // options.batch_size
    assert steps > 1
    calls, real = 0, type(INTERRUPTION).defer

    def stop(self):
        nonlocal calls
        calls += 1
        real(self)
        if calls == epoch * (steps + 1) + 1:  # it is called at an epoch's end too
            self.signal = 15

    with monkeypatch.context() as patch, pytest.raises(Interrupted):
        patch.setattr(type(INTERRUPTION), "defer", stop)
        patch.setattr(INTERRUPTION, "signal", None)
        finetune(broken)
    INTERRUPTION.allow()
    names = sorted(path.name for path in (tmp_path / "broken/checkpoints").iterdir())
    assert names[-1] == f"epoch_{epoch + 1:04d}_step_0001.npz"
    finetune(broken)
    assert history(broken.output_dir) == history(whole[1])
    one, other = (
        load_network(f"{folder}/model.keras").get_weights()
        for folder in (whole[1], broken.output_dir)
    )
    for mine, theirs in zip(one, other, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_bad_options(options, tmp_path):
    skeleton = dataclasses.replace(SKELETON, num_classes=5)
    other = tmp_path / "other.keras"
    Network(skeleton, (48, 80), uniform(skeleton, "skip_connect")).save(other)
    cases = (
        ({"color_jitter": 1.5}, "--color_jitter must be at most 1"),
        ({"rare_crops": 1.5}, "--rare_crops must be at most 1"),
        ({"lovasz_weight": -1.0}, "--lovasz_weight must be at least 0"),
        ({"crop_schedule": ("0.5:9x9",)}, "begin with 0, rise and stay below 1"),
        ({"teacher_temperature": 0.0}, "--teacher_temperature must be above 0"),
        ({"teacher": ("nobody",)}, "--teacher: nobody: no such network"),
        ({"teacher": (str(other),)}, "other.keras tells 5 classes apart"),
    )
    for changes, match in cases:
        changed = dataclasses.replace(
            options, output_dir=str(tmp_path / "run"), **changes
        )
        with pytest.raises(InputError, match=match) as error:
            finetune(changed)
        assert "\n" not in str(error.value)
        assert not (tmp_path / "run").exists()
