"""What a run trains on and is validated on."""

import dataclasses
import json
import pathlib

import pytest

from lgcnet_tf.commands.evaluate import EvaluateOptions, evaluate_model
from lgcnet_tf.commands.finetune import FinetuneOptions, finetune
from lgcnet_tf.errors import InputError
from lgcnet_tf.model.zoo import load_genotype
from lgcnet_tf.space.genotype import uniform
from lgcnet_tf.space.skeleton import Skeleton
from lgcnet_tf.training.data import load_training_data


def data(**options):
    return load_training_data(FinetuneOptions(dataset="toy_streets", **options))


def test_a_run_without_groups():
    found = data()
    assert len(found.samples) == 128 and not found.notes
    assert {name: len(s) for name, s in found.validation.items()} == {"val_miou": 32}


def test_groups_left_out_are_measured_on_beside_the_validation_split():
    found = data(group_by=r"_(\d\d\d)", left_out=("001", "003"))
    assert len(found.samples) == 108
    assert list(found.validation) == ["left_out_miou", "val_miou"]
    left_out = found.validation["left_out_miou"].names
    assert len(left_out) == 20 and not set(left_out) & set(found.samples.names)


def test_what_is_trained_on_is_not_measured_on():
    found = data(split="train,val", group_by=r"_(\d\d\d)", left_out=("001",))
    assert len(found.samples) == 140
    assert {name: len(s) for name, s in found.validation.items()} == {
        "left_out_miou": 20
    }
    (note,) = found.notes
    assert "22 of its 32 images are trained on" in note
    assert not data(split="train,val").validation
    other = data(split="train,val", validation_split="test")
    assert list(other.validation) == ["val_miou"] and not other.notes


def test_a_validation_split_left_out_as_a_whole():
    found = data(split="train,val", left_out=("val",))
    assert len(found.samples) == 128
    assert list(found.validation) == ["left_out_miou", "val_miou"]


def test_nothing_left_to_train_on():
    with pytest.raises(InputError, match="--left_out=train leaves nothing of"):
        data(left_out=("train",))
    with pytest.raises(InputError, match=r"no group 'x'. Groups: train \(128\)"):
        data(left_out=("x",))


def test_the_left_out_figure_is_the_evaluations(tmp_path):
    skeleton = Skeleton(
        num_classes=8,
        initial_channels=2,
        num_cells=1,
        reduction_cells=(),
        fusion="none",
        fusion_taps=(0,),
    )
    uniform(skeleton, "conv_3x3").save(tmp_path / "genotype.json")
    options = FinetuneOptions(
        model=str(tmp_path / "genotype.json"),
        output_dir=str(tmp_path / "run"),
        split="train,val",
        group_by=r"_(\d\d\d)",
        left_out=("001",),
        input_size=(48, 80),
        crop_size=(32, 64),
        epochs=1,
        batch_size=32,
    )
    results = finetune(options)
    run = pathlib.Path(options.output_dir)
    (epoch,) = json.loads((run / "history.json").read_text())
    assert "val_miou" not in epoch
    assert epoch["left_out_miou"] == results["left_out_miou"]
    assert "are trained on" in (run / "log.txt").read_text()
    evaluation = EvaluateOptions(
        model=str(run / "model.keras"),
        output_dir=str(tmp_path / "evaluate"),
        split="train,val",
        group_by=r"_(\d\d\d)",
        groups=("001",),
        repeats=1,
    )
    found = evaluate_model(evaluation)
    assert found["trained_on_these_images"] == 0
    assert found["num_images"] == 20 and found["groups"] == ["001"]
    assert found["miou"] == pytest.approx(results["left_out_miou"], abs=1e-4)
    _then_trained_on_all(options, evaluation, tmp_path)
    wrong = dataclasses.replace(
        evaluation, groups=("2",), output_dir=str(tmp_path / "wrong")
    )
    with pytest.raises(InputError, match="no group '2'"):
        evaluate_model(wrong)
    assert not (tmp_path / "wrong").exists()


def _then_trained_on_all(options, evaluation, tmp_path):
    """A run on `train` that starts from the first: the union is remembered."""
    first = f"{options.output_dir}/model.keras"
    finetune(
        dataclasses.replace(
            options,
            split="train",
            left_out=("001", "002"),
            initial_model=first,
            output_dir=str(tmp_path / "second"),
            lr=1e-9,
        )
    )
    again = dataclasses.replace(
        evaluation,
        model=str(tmp_path / "second" / "model.keras"),
        groups=("001", "002"),
        output_dir=str(tmp_path / "again"),
        examples=0,
    )
    found = evaluate_model(again)  # 002 was in the first run, of both splits
    assert (found["trained_on_these_images"], found["num_images"]) == (20, 40)
    assert (
        "was trained on 20 of these 40 images"
        in (tmp_path / "again/log.txt").read_text()
    )
    parts = load_genotype(again.model).provenance["trained_on"]
    assert [part["images"] for part in parts] == [140, 108]
