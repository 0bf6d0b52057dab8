"""A folder of one's own through the commands: its class names come out at the end."""

import json

import numpy as np
import pytest

pytest.importorskip("tensorflow")

from lgcnet_tf.commands.evaluate import EvaluateOptions, evaluate_model
from lgcnet_tf.commands.export import ExportOptions, export
from lgcnet_tf.commands.finetune import FinetuneOptions, finetune
from lgcnet_tf.errors import InputError
from lgcnet_tf.files import read_json
from lgcnet_tf.model.zoo import load_network
from lgcnet_tf.report.run import plot_run
from lgcnet_tf.space.genotype import Genotype

from ..data.folders import CLASSES, COLORS, pixels, save, write_folder

SIZE = (32, 48)


def train(genotype, root, out, **more):
    options = FinetuneOptions(
        model=str(genotype), dataset="folder", data_dir=str(root), output_dir=str(out),
        input_size=SIZE, crop_size=(32, 32), epochs=1, batch_size=2, pictures_every=0,
        **more,
    )  # fmt: skip
    return finetune(options)


@pytest.fixture(scope="module")
def trained(tmp_path_factory, small_genotype):
    """A folder of three classes without a split val, and a network trained on it."""
    root = tmp_path_factory.mktemp("own")
    data = write_folder(root / "warehouse", "annot", (("train", 8),), SIZE)
    train(small_genotype, data, root / "run", val_share=0.25)
    return data, root / "run" / "model.keras"


def test_the_network_knows_its_classes(trained):
    data, model = trained
    genotype = load_network(model).genotype
    assert (
        genotype.classes.class_names == CLASSES and genotype.classes.name == "warehouse"
    )
    np.testing.assert_array_equal(genotype.classes.palette, COLORS)
    (record,) = genotype.provenance["trained_on"]
    assert (record["dataset"], record["images"]) == ("warehouse", 6)


def evaluate(trained, out, **more):
    data, model = trained
    given = {"dataset": "folder", "data_dir": str(data), "val_share": 0.25} | more
    return evaluate_model(
        EvaluateOptions(model=str(model), output_dir=str(out), repeats=2, **given)
    )


def test_evaluation_and_its_pictures(trained, tmp_path):
    found = evaluate(trained, tmp_path / "out")
    assert tuple(found["per_class_iou"]) == CLASSES and found["num_images"] == 2
    assert found["trained_on_these_images"] == 0 and found["dataset"] == "warehouse"
    names = [path.name for path in (tmp_path / "out" / "examples").iterdir()]
    assert len(names) == 6 and all(name.startswith("train-") for name in names)
    plot_run(tmp_path / "out")
    assert (tmp_path / "out" / "predictions.png").exists()
    again = evaluate(trained, tmp_path / "seen", split="train", val_share=0.0)
    assert again["trained_on_these_images"] == 6 and again["num_images"] == 8


def test_evaluation_on_other_classes_is_refused(trained, tmp_path):
    other = write_folder(tmp_path / "other", size=SIZE)
    (other / "classes.json").write_text('["floor", "shelf", "forklift"]')
    with pytest.raises(
        InputError, match="its class 2 is robot, that of other is forklift"
    ):
        evaluate(trained, tmp_path / "out", data_dir=str(other), val_share=0.0)


def test_export_takes_the_networks_classes(trained, tmp_path):
    _, model = trained
    export(ExportOptions(model=str(model), output_dir=str(tmp_path / "out")))
    card = read_json(tmp_path / "out/saved_model/1/assets.extra/lgcnet.json")
    assert card["class_names"] == list(CLASSES) and card["dataset"] == "warehouse"
    assert card["palette"] == [list(color) for color in COLORS]
    with pytest.raises(InputError, match="of warehouse, not those of "):
        other = write_folder(tmp_path / "other", size=SIZE)
        (other / "classes.json").write_text('["floor", "shelf", "forklift"]')
        export(
            ExportOptions(
                model=str(model), dataset="folder", data_dir=str(other),
                output_dir=str(tmp_path / "b"),
            )
        )  # fmt: skip


def test_an_older_network_needs_its_data_set_named(trained, tmp_path):
    _, model = trained
    network = load_network(model)
    config = network.genotype.to_dict() | {"format_version": 1}
    del config["classes"]
    network.genotype = Genotype.from_dict(config)
    network.save(tmp_path / "old.keras")
    options = {"model": str(tmp_path / "old.keras"), "output_dir": str(tmp_path / "o")}
    with pytest.raises(InputError, match="does not know its 3 classes; name its data"):
        export(ExportOptions(**options))
    data = {"dataset": "folder", "data_dir": str(trained[0])}
    export(ExportOptions(**options, **data))
    card = read_json(tmp_path / "o/saved_model/1/assets.extra/lgcnet.json")
    assert card["class_names"] == list(CLASSES)


def test_other_classes_start_from_all_but_the_classifier(
    trained, small_genotype, tmp_path, without_training
):
    _, model = trained
    for name, classes in (("two", ["no", "yes"]), ("three", ["a", "b", "c"])):
        data = tmp_path / name
        for index in range(2):
            image, mask = pixels(index, SIZE)
            save(data / f"images/{index}.png", image)
            save(data / f"masks/{index}.png", np.where(mask == 2, 1, mask))
        (data / "classes.json").write_text(json.dumps(classes))
        out = tmp_path / f"run_{name}"
        train(small_genotype, data, out, initial_model=str(model))
        report = read_json(out / "initial_weights.json")
        assert list(report["mismatched"]) == ["classifier"]
        assert report["layers_taken"] == report["layers"] - 1
        assert load_network(out / "model.keras").genotype.classes.class_names == tuple(
            classes
        )


def test_int8_takes_its_ranges_from_the_folder(trained, tmp_path):
    pytest.importorskip("onnxruntime")
    data, model = trained
    options = ExportOptions(
        model=str(model), data_dir=str(data), output_dir=str(tmp_path / "out"),
        format="onnx", precision="int8",
    )  # fmt: skip
    path = export(options)["onnx"]
    card = read_json(f"{path}.json")
    assert card["class_names"] == list(CLASSES)
    assert card["calibration"] == "minmax of 8 training images of folder"
