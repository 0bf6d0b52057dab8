"""Which split is validated on, and data that have none."""

import dataclasses
import json
import pathlib

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from lgcnet_tf.commands.finetune import FinetuneOptions, finetune
from lgcnet_tf.errors import InputError
from lgcnet_tf.space.genotype import uniform
from lgcnet_tf.space.skeleton import Skeleton
from lgcnet_tf.training.validation import Validation, load_validation


@pytest.fixture
def train_only(tmp_path) -> pathlib.Path:
    """CamVid's layout with four images to train on and no other split."""
    folder = tmp_path / "camvid"
    draw = np.random.default_rng(0).integers
    for name, shape, limit in (
        ("train", (32, 64, 3), 256),
        ("trainannot", (32, 64), 11),
    ):
        (folder / name).mkdir(parents=True)
        for index in range(4):
            picture = Image.fromarray(draw(0, limit, shape, np.uint8))
            picture.save(folder / name / f"{index}.png")
    return folder


@pytest.fixture
def options(train_only, tmp_path):
    return FinetuneOptions(
        dataset="camvid",
        data_dir=str(train_only),
        model=str(tmp_path / "genotype.json"),
        output_dir=str(tmp_path / "run"),
        input_size=(32, 64),
        crop_size=(32, 32),
        epochs=1,
        batch_size=2,
    )


def test_the_split_that_is_asked_for():
    toy = {"dataset": "toy_streets"}
    assert load_validation(FinetuneOptions(**toy)).split == "val"
    training = FinetuneOptions(**toy, validation_split="train")
    assert load_validation(training).split == "train"
    assert load_validation(FinetuneOptions(**toy, validation_split="")) is None


def test_data_without_it_go_without(options):
    assert load_validation(options) is None


def test_a_split_that_was_named_has_to_be_there(options):
    wrong = dataclasses.replace(options, validation_split="vall")
    with pytest.raises(InputError, match="no split 'vall'. Available: train"):
        load_validation(wrong)


def test_other_faults_of_the_data_are_not_taken_for_its_absence(options, train_only):
    (train_only / "val").mkdir()
    with pytest.raises(InputError, match="val: no images"):
        load_validation(options)


def test_a_finetuning_without_it_says_so(options):
    skeleton = Skeleton(
        num_classes=11,
        initial_channels=2,
        num_cells=1,
        reduction_cells=(),
        fusion="none",
        fusion_taps=(0,),
    )
    uniform(skeleton, "conv_3x3").save(options.model)
    finetune(options)
    run = pathlib.Path(options.output_dir)
    log = (run / "log.txt").read_text()
    assert log.count("no split 'val'") == 1
    (epoch,) = json.loads((run / "history.json").read_text())
    assert "val_miou" not in epoch and np.isfinite(epoch["loss"])
    assert not EventAccumulator(str(run / "events")).Reload().Tags()["images"]


def test_pictures_are_of_the_classes_that_are_evaluated(
    make_small_model, small_samples
):
    network = make_small_model()
    network.input_size = (16, 16)
    sets = {"val_miou": small_samples}
    validation = Validation(network, sets, 1, 1, 1, None, network.get_weights)
    images = np.stack([small_samples[i].image[:16, :16] for i in range(2)])
    found = validation.predict_mask(images)
    expected = np.asarray(network(images, training=False)).argmax(-1)
    assert found.dtype == np.uint8 and expected.std() > 0
    np.testing.assert_array_equal(found, expected)
