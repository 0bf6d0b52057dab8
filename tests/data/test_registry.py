"""Data sets from outside the package, by Python and by an installed package."""

import importlib.metadata
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from lgcnet_tf.data import (
    dataset_info,
    dataset_names,
    load_samples,
    open_dataset,
    register_dataset,
    split_inputs,
)
from lgcnet_tf.data.registry import _registered
from lgcnet_tf.errors import InputError

STRIPES = """
import collections
import numpy as np
import lgcnet_tf.data as data

Entry = collections.namedtuple("Entry", "name width")


class Stripes(data.Dataset):
    info = data.DatasetInfo.of("stripes", {"left": (255, 0, 0), "right": (0, 0, 255)})
    splits = {
        split: [Entry(f"{split}_{i}", 4 + i) for i in range(count)]
        for split, count in (("train", 3), ("val", 2))
    }

    def __init__(self, data_dir):
        self.folder = data_dir

    def read(self, entry):
        label = np.zeros((6, 12), np.uint8)
        label[:, entry.width :] = 1
        return data.Sample(entry.name, self.info.colorize(label), label)
"""
"""A data set from outside, whole."""


@pytest.fixture
def stripes():
    scope = {}
    exec(STRIPES, scope)
    before = dict(_registered)
    register_dataset("stripes", scope["Stripes"])
    yield scope["Stripes"]
    _registered.clear()
    _registered.update(before)


def test_built_in_sets_are_behind_the_same_door():
    assert {"camvid", "cityscapes", "folder", "toy_streets"} <= set(dataset_names())
    toy = open_dataset("toy_streets")
    assert len(toy.splits["train"]) == 128 and toy.info is dataset_info("toy_streets")


def test_a_data_set_from_outside_in_few_lines(stripes):
    assert len(STRIPES.strip().splitlines()) < 30
    samples = load_samples("stripes", "val")
    assert samples.names == ("val_0", "val_1") and samples.info.name == "stripes"
    assert (samples[1].label == (np.arange(12) >= 5)).all()
    np.testing.assert_array_equal(samples[1].image[0, 0], (255, 0, 0))
    assert dataset_info("stripes").class_names == ("left", "right")
    assert load_samples("stripes", "train,val").names[-1] == "val_1"
    both = [split_inputs("stripes", split)[f"split {split} of stripes"]
            for split in ("train", "none")]  # fmt: skip
    assert list(both[0]) == ["samples"] and both[1] == {}
    with pytest.raises(InputError, match="stripes has no split 'test'"):
        load_samples("stripes", "test")


def test_the_loader_gets_the_folder_and_a_later_one_takes_the_place(stripes, tmp_path):
    assert open_dataset("stripes", tmp_path).folder == tmp_path
    register_dataset("stripes", lambda data_dir: "another")
    assert open_dataset("stripes") == "another"


def test_names_that_are_none():
    with pytest.raises(InputError, match="letters, digits, _ and -"):
        register_dataset("my data", lambda data_dir: None)


def test_an_installed_package_brings_its_data_set_to_the_commands(tmp_path):
    (tmp_path / "stripes_package.py").write_text(STRIPES)
    info = tmp_path / "stripes_package-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Name: stripes_package\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[lgcnet_tf.datasets]\nstripes = stripes_package:Stripes\n"
    )
    found = importlib.metadata.Distribution.at(info).entry_points
    assert [entry.name for entry in found] == ["stripes"]
    code = f"""
    import sys
    sys.path.insert(0, {str(tmp_path)!r})
    from lgcnet_tf.data import dataset_names, load_samples
    assert "stripes" in dataset_names()
    print(load_samples("stripes", "train").names)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True
    )
    assert done.stdout == "('train_0', 'train_1', 'train_2')\n", done.stderr
