"""Cards of the zoo: read by code, shown to people."""

import json

import pytest

from lgcnet_tf.errors import InputError
from lgcnet_tf.model import cards, zoo
from lgcnet_tf.model.cards import Accuracy, Card, Latency, Training

TRAINING = Training(split="train,val", left_out=(), frames=468, passes=80_000)
WITHOUT = Training(split="train,val", left_out=("0006R0",), frames=367, passes=70_000)
CARD = Card(
    name="lgcnet_test",
    dataset="camvid",
    licence=cards.LICENCES["camvid"],
    input_size=(360, 480),
    params=1_234_567,
    macs=2_345_678_901,
    training=TRAINING,
    left_out=Accuracy(
        split="train,val", groups=("0006R0",), frames=101, miou=0.5,
        per_class_iou={"Sky": 0.875, "Pole": None}, training=WITHOUT,
    ),
    val=None,
    latency=Latency(
        ratio=0.5, reference="reference_genotype.json", runtime="onnxruntime",
        threads=2, device="a device",
    ),
    commands=("lgcnet-finetune --epochs=3",),
    limits=("It sees no trams.",),
)  # fmt: skip


@pytest.fixture
def path(tmp_path):
    CARD.save(tmp_path / "card.json")
    return tmp_path / "card.json"


def test_saved_and_read_again(path):
    assert Card.load(path) == CARD


def test_readme_says_what_the_card_says(path):
    (path.parent / "search_curves.png").touch()
    CARD.write_readme(path.parent / "README.md")
    text = (path.parent / "README.md").read_text()
    for words in (
        "research use", "train,val, 468 images, 80,000 whole-image passes",
        "| mIoU, 0006R0 left out | **50.0 %** |", "| Sky | 87.5 % |", "| Pole | - |",
        "this architecture on train,val without 0006R0, 367 images, 70,000",
        "0.50 (onnxruntime, 2 threads", "--epochs=3", "- It sees no trams.",
        "![Search curves](search_curves.png)", "1.23 M", "2.35 G",
    ):  # fmt: skip
        assert words in text
    assert "| val |" not in text


@pytest.mark.parametrize(
    "change, problem",
    [
        ({"format_version": 0}, "format version 0"),
        ({"params": "many"}, "card.params must be of kind int. Received: 'many'"),
        ({"params": True}, "card.params must be of kind int"),
        ({"colour": 1}, "unknown entry 'colour'"),
        ({"training": None}, "card.training must be an object"),
        ({"left_out": {"miou": 0.1}}, "card.left_out lacks 'frames'"),
        ({"val": []}, "card.val must be an object"),
    ],
)
def test_malformed_cards(path, change, problem):
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(InputError, match=problem) as error:
        Card.load(path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)


def test_no_such_entry():
    with pytest.raises(InputError, match="nowhere: not in the zoo"):
        zoo.load_card("nowhere")


@pytest.mark.parametrize("name", zoo.zoo_names())
def test_cards_that_come_with_the_package(name):
    card = zoo.load_card(name)
    genotype = zoo.load_genotype(name)
    assert (
        card.name == name
        and tuple(genotype.provenance["input_size"]) == card.input_size
    )
    curves = sorted(p.name for p in (zoo.ZOO / name).glob("*_curves.png"))
    readme = (zoo.ZOO / name / "README.md").read_text()
    assert readme == cards.readme_text(card, curves)


def test_the_zoo_is_small():
    sizes = [p.stat().st_size for p in zoo.ZOO.glob("*/model.keras")]
    assert sum(sizes) <= 12e6
