"""What a split is made of."""

import zipfile

import pytest

from lgcnet_tf.data import split_inputs
from lgcnet_tf.errors import InputError

CLASSES = "classes of camvid"


def files_of(folder, split="train"):
    return split_inputs("camvid", split, folder)[f"split {split} of {folder}"]


def test_files_of_a_split_by_name(small_camvid):
    found = files_of(small_camvid)
    assert len(found) == 10
    assert {"train/train_0.png", "train/train_1.jpg", "trainannot/train_1.png"} < set(
        found
    )
    assert split_inputs("camvid", "train", small_camvid)[CLASSES]["8"] == "Car"


def test_only_what_changed_is_another(small_camvid):
    before, other = files_of(small_camvid), files_of(small_camvid, "val")
    path = small_camvid / "train" / "train_2.png"
    path.write_bytes(path.read_bytes() + b"\0")
    for folder in ("train", "trainannot"):
        (small_camvid / folder / "train_4.png").rename(
            small_camvid / folder / "new.png"
        )
    after = files_of(small_camvid)
    changed = {name for name in before if after.get(name) != before[name]}
    assert changed == {
        "train/train_2.png",
        "train/train_4.png",
        "trainannot/train_4.png",
    }
    assert set(after) - set(before) == {"train/new.png", "trainannot/new.png"}
    assert files_of(small_camvid, "val") == other
    assert files_of(small_camvid, "test") == {}


def test_drawn_pictures():
    found = split_inputs("toy_streets", "train")
    assert len(found["split train of toy_streets"]) == 1
    assert found["classes of toy_streets"]["0"] == "road"
    assert split_inputs("toy_streets", "none")["split none of toy_streets"] == {}


def test_archives(tmp_path):
    for name in ("leftImg8bit_trainvaltest.zip", "gtFine_trainvaltest.zip"):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.writestr("a.png", "picture")
    found = split_inputs("cityscapes", "val", tmp_path)
    assert set(found[f"split val of {tmp_path}"]) == {
        "leftImg8bit_trainvaltest.zip", "gtFine_trainvaltest.zip",
    }  # fmt: skip
    with pytest.raises(InputError, match="missing"):
        split_inputs("cityscapes", "val", tmp_path / "..")
