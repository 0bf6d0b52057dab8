"""`finetune` from genotype to saved network, at tiny size."""

import dataclasses
import json

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from lgcnet_tf.commands.finetune import FinetuneOptions, finetune
from lgcnet_tf.data import load_samples
from lgcnet_tf.errors import InputError
from lgcnet_tf.evaluation.evaluate import evaluate, mask_function
from lgcnet_tf.model.zoo import load_network
from lgcnet_tf.space.genotype import uniform
from lgcnet_tf.space.skeleton import Skeleton

EPOCHS = 3
SKELETON = Skeleton(
    num_classes=19,
    initial_channels=2,
    num_cells=2,
    reduction_cells=(1,),
    fusion="cas",
    fusion_taps=(0, 1),
    fusion_channels=4,
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Options, returned results and folder of a run of three epochs."""
    folder = tmp_path_factory.mktemp("finetune")
    uniform(SKELETON, "conv_3x3").save(folder / "genotype.json")
    options = FinetuneOptions(
        dataset="toy_streets",
        model=str(folder / "genotype.json"),
        output_dir=str(folder / "run"),
        input_size=(48, 80),
        crop_size=(32, 64),
        epochs=EPOCHS,
        batch_size=32,
        validate_every=2,
    )
    return options, finetune(options), folder / "run"


def history(folder):
    return json.loads((folder / "history.json").read_text())


def test_files(finished):
    options, results, folder = finished
    names = {path.name for path in folder.iterdir()}
    assert names == {
        "best.keras", "checkpoints", "events", "flags.txt", "history.json", "inputs.json", "log.txt",
        "model.keras", "report.html", "results.json", "training_batches.png",
    }  # fmt: skip
    assert json.loads((folder / "results.json").read_text()) == results
    assert results["model"] == "model.keras"
    assert results["epochs"] == EPOCHS
    assert results["last_epoch"] == history(folder)[-1]


def test_saved_network_is_the_trained_one(finished):
    options, results, folder = finished
    network = load_network(folder / "model.keras")
    assert network.input_size == options.input_size
    assert network.num_classes == 8  # the genotype's 19 gave way to the data's
    assert network.count_params() == results["params"]
    with np.load(folder / "checkpoints" / f"epoch_{EPOCHS:04d}.npz") as data:
        for variable in network.variables:
            _, _, path = variable.path.partition("/")
            np.testing.assert_array_equal(variable, data[f"network/{path}"])
    val = load_samples("toy_streets", "val")
    found = evaluate(mask_function(network), val, progress=False).miou
    assert found == pytest.approx(results["last_epoch"]["val_miou"], abs=1e-6)


def test_best_network_is_that_of_the_best_validation(finished):
    _, results, folder = finished
    measured = [entry.get("val_miou", -1.0) for entry in history(folder)]
    assert results["best_epoch"] == 1 + int(np.argmax(measured))
    assert results["best_val_miou"] == max(measured)
    network = load_network(folder / results["best_model"])
    found = evaluate(
        mask_function(network), load_samples("toy_streets", "val"), progress=False
    )
    assert found.miou == pytest.approx(max(measured), abs=1e-6)
    assert network.genotype.provenance["trained_on"][0]["images"] == 128
    events = EventAccumulator(str(folder / "events")).Reload()
    for name, iou in zip(found.class_names, found.per_class_iou, strict=True):
        logged = {e.step: e.value for e in events.Scalars(f"val_iou/{name}")}
        assert logged[results["best_epoch"]] == pytest.approx(
            iou, abs=1e-6, nan_ok=True
        )


def test_validation_loss(finished):
    """By hand: every image's mean over its labelled pixels, at the network's size."""
    options, _, folder = finished
    network, losses = load_network(folder / "model.keras"), []
    size, images, labels = options.input_size[::-1], [], []
    for sample in load_samples("toy_streets", "val"):  # of the same proportions
        image = Image.fromarray(sample.image).resize(size, Image.Resampling.BILINEAR)
        label = Image.fromarray(sample.label).resize(size, Image.Resampling.NEAREST)
        images.append(np.asarray(image))
        labels.append(np.asarray(label))
    every = np.asarray(network(np.stack(images), training=False), np.float64)
    for logits, label in zip(every, labels, strict=True):
        p = np.exp(logits - logits.max(-1, keepdims=True))
        p /= p.sum(-1, keepdims=True)
        y, x = np.nonzero(label != 255)
        losses.append(-np.log(p[y, x, label[y, x]]).mean())
    assert history(folder)[-1]["val_loss"] == pytest.approx(np.mean(losses), rel=1e-4)


def test_the_log_says_what_is_trained_and_what_came_of_it(finished):
    _, results, folder = finished
    lines = [
        line.split(" INFO ")[1]
        for line in (folder / "log.txt").read_text().splitlines()
        if " INFO " in line
    ]
    val = len(load_samples("toy_streets", "val"))
    assert lines[1].startswith(
        f"data: toy_streets, split train: 128 images; val_miou on split val: {val} "
        "images; 8 classes: "
    )
    assert lines[2] == (
        f"network: {results['params']:,} parameters; 3 epochs of 4 steps, each of 32 "
        "crops of 32x64"
    )
    assert lines[3].startswith("device: ") and lines[4] == f"folder: {folder}"
    assert lines[-3] == f"{folder}/model.keras: the weights of the last epoch, 3"
    assert lines[-2].startswith(f"{folder}/best.keras: those of the best validation")
    assert lines[-1] == f"done: {folder}/model.keras (figures in results.json)"


def test_events_have_the_flags(finished):
    folder = finished[2]
    events = EventAccumulator(str(folder / "events")).Reload()
    (event,) = events.Tensors("flags")
    (text,) = event.tensor_proto.string_val
    for line in (folder / "flags.txt").read_text().splitlines():
        assert f"    {line}" in text.decode().splitlines()


def test_loss_falls(finished):
    losses = [entry["loss"] for entry in history(finished[2])]
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[0]


def test_poly_schedule(finished):
    options, _, folder = finished
    found = [entry["learning_rate"] for entry in history(folder)]
    done = np.arange(1, EPOCHS + 1) / EPOCHS
    np.testing.assert_allclose(found, 0.01 * (1 - done) ** 0.9, atol=1e-8)


def test_validates_now_and_then_and_at_the_end(finished):
    validated = ["val_miou" in entry for entry in history(finished[2])]
    assert validated == [False, True, True]


def test_is_not_trained_twice(finished):
    with pytest.raises(InputError, match="already holds a finished run"):
        finetune(finished[0])
    (line,) = finished[0].missing()  # said before anything heavy is imported
    assert "already holds a finished run" in line


def test_no_such_genotype(finished, tmp_path):
    options = dataclasses.replace(
        finished[0], model="no/genotype.json", output_dir=str(tmp_path / "run")
    )
    with pytest.raises(InputError, match="no/genotype.json: no such model"):
        finetune(options)
    assert not (tmp_path / "run").exists()


def test_no_such_split(finished, tmp_path):
    options = dataclasses.replace(
        finished[0], validation_split="final", output_dir=str(tmp_path / "run")
    )
    with pytest.raises(InputError, match="toy_streets has no split 'final'"):
        finetune(options)
    assert not (tmp_path / "run").exists()


def test_starts_from_a_trained_network(finished, tmp_path, without_training):
    options, results, folder = finished
    again = dataclasses.replace(
        options,
        initial_model=str(folder / "model.keras"),
        output_dir=str(tmp_path / "run"),
        epochs=1,
    )
    finetune(again)
    before, after = (
        load_network(run / "model.keras").trainable_variables
        for run in (folder, tmp_path / "run")
    )
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, other)


def test_starts_from_another_genotype_with_what_fits(
    finished, tmp_path, without_training
):
    other = uniform(dataclasses.replace(SKELETON, num_classes=8), "sep_conv_3x3")
    found = {"input_size": [360, 480], "predicted_latency_ms": 12.5, "seed": 3}
    other = dataclasses.replace(other, provenance=found)
    other.save(tmp_path / "other.json")
    options = dataclasses.replace(
        finished[0],
        model=str(tmp_path / "other.json"),
        initial_model=str(finished[2]),
        output_dir=str(tmp_path / "run"),
        validation_split="",
        epochs=1,
    )
    finetune(options)
    report = json.loads((tmp_path / "run" / "initial_weights.json").read_text())
    assert "classifier" in report["taken"] and not report["mismatched"]
    assert report["missing"]
    assert all(path.endswith("/sep_conv_3x3") for path in report["missing"])
    log = (tmp_path / "run" / "log.txt").read_text()
    assert f"weights of {finished[2]}: {report['summary']}" in log
    provenance = load_network(tmp_path / "run" / "model.keras").genotype.provenance
    assert provenance["seed"] == 3 and provenance["input_size"] == [48, 80]
    assert "predicted_latency_ms" not in provenance  # it was of the other size


def test_weights_that_fit_no_layer(finished, tmp_path):
    other = dataclasses.replace(SKELETON, initial_channels=3, fusion_channels=5)
    uniform(other, "sep_conv_3x3").save(tmp_path / "other.json")
    options = dataclasses.replace(
        finished[0],
        model=str(tmp_path / "other.json"),
        initial_model=str(finished[2] / "model.keras"),
        output_dir=str(tmp_path / "run"),
    )
    with pytest.raises(
        InputError, match="--initial_model: .*fit none of this network's"
    ):
        finetune(options)
    assert not (tmp_path / "run").exists()


def test_events_have_pictures_of_predictions(finished):
    options, _, folder = finished
    events = EventAccumulator(str(folder / "events"), {"images": 0}).Reload()
    assert [e.step for e in events.Images("predictions")] == [1, 2, 3]
    assert [e.step for e in events.Scalars("val_miou")] == [2, 3]
    for tag in ("loss", "learning_rate", "miou"):
        assert [e.step for e in events.Scalars(tag)] == [1, 2, 3]


class Stopped(Exception):
    pass


def test_goes_on_only_with_the_same_inputs(tmp_path, monkeypatch):
    """Another image would move the learning rate's schedule in its middle."""
    data, genotype = tmp_path / "data", tmp_path / "genotype.json"
    for folder in ("train", "trainannot"):
        (data / folder).mkdir(parents=True)

    def add(name, value):
        Image.new("RGB", (32, 32), (value, 0, 0)).save(data / f"train/{name}.png")
        Image.new("L", (32, 32), 1).save(data / f"trainannot/{name}.png")

    def stop(*args, **keywords):
        raise Stopped

    add("a", 1)
    add("b", 2)
    uniform(SKELETON, "sep_conv_3x3").save(genotype)
    options = FinetuneOptions(
        model=str(genotype), output_dir=str(tmp_path / "run"), dataset="camvid",
        data_dir=str(data), batch_size=2, input_size=(32, 32), crop_size=(32, 32),
    )  # fmt: skip
    monkeypatch.setattr("lgcnet_tf.training.run.fit", stop)
    for _ in range(2):
        with pytest.raises(Stopped):
            finetune(options)
    add("c", 3)
    with pytest.raises(InputError, match="train/c.png trainannot/c.png added"):
        finetune(options)
    for folder in ("train", "trainannot"):
        (data / folder / "c.png").unlink()
    add("b", 9)
    with pytest.raises(InputError, match=f"split train of {data}: train/b.png changed"):
        finetune(options)
    add("b", 2)
    uniform(SKELETON, "conv_3x3").save(genotype)
    with pytest.raises(InputError, match=f"--model: {genotype} changed"):
        finetune(options)
    with pytest.raises(InputError, match="a genotype has no weights"):
        finetune(dataclasses.replace(options, initial_model=str(genotype)))
