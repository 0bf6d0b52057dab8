"""Splits joined and divided by groups, against a plain loop over names."""

import numpy as np
import pytest

from lgcnet_tf.config import DataOptions
from lgcnet_tf.data import (
    Sample,
    Samples,
    dataset_info,
    divide,
    groups_of,
    load_samples,
)
from lgcnet_tf.data.camvid.folder import split_names
from lgcnet_tf.data.groups import join_samples
from lgcnet_tf.errors import InputError

INFO = dataset_info("toy_streets")
GROUP_BY = DataOptions().group_by


def make(names, split="train", reads=None):
    """Samples whose pictures tell which they are, and which count their reads."""

    def read(index):
        if reads is not None:
            reads.append(names[index])
        image = np.full((2, 3, 3), index, np.uint8)
        return Sample(names[index], image, image[..., 0].copy())

    return Samples(INFO, split, len(names), read, name=lambda index: names[index])


def camvid(split):
    return make(split_names(split), split)


def test_camvids_drives():
    both = join_samples([camvid("train"), camvid("val")])
    inside, outside = divide(both, ("0006R0",), GROUP_BY, "--left_out")
    assert (len(both), len(inside), len(outside)) == (468, 101, 367)
    assert {name[:6] for name in inside.names} == {"0006R0"}
    groups = groups_of(outside, GROUP_BY)
    assert {g: groups.count(g) for g in groups} == {"0001TP": 62, "0016E5": 305}
    assert sorted(inside.names + outside.names) == sorted(both.names)


def test_samples_keep_their_order_and_their_pictures():
    reads = []
    both = join_samples(
        [make(["a_0", "b_0"], reads=reads), make(["b_1", "a_1"], "val", reads)]
    )
    assert both.split == "train,val"
    assert both.names == ("a_0", "b_0", "b_1", "a_1")
    inside, outside = divide(both, ("b",), GROUP_BY, "--groups")
    assert inside.names == ("b_0", "b_1") and outside.names == ("a_0", "a_1")
    assert not reads  # names are known without decoding
    assert [sample.name for sample in inside] == ["b_0", "b_1"]
    assert [int(sample.image[0, 0, 0]) for sample in inside] == [1, 0]
    assert [sample.name for sample in outside[1:]] == ["a_1"]
    assert len(set(reads)) == len(reads) == 3


def test_a_pattern_without_a_group_matches_the_whole():
    assert groups_of(make(["x1y", "x2y"]), "[0-9]") == ("1", "2")
    assert groups_of(make(["x1y", "x2y"]), "(x)[0-9]") == ("x", "x")


def test_groups_that_are_not_there():
    names = [f"{group}_{index}" for group in ("b", "a") for index in range(2)]
    with pytest.raises(
        InputError, match=r"no group 'c'. Groups: a \(2\), b \(2\)\."
    ) as error:
        divide(make(names), ("a", "c"), GROUP_BY, "--left_out")
    assert "--left_out=a,c" in str(error.value) and "\n" not in str(error.value)


def test_patterns_that_do_not_fit():
    with pytest.raises(InputError, match="finds no group in the names of 2 of 2"):
        divide(make(["a_0", "b_0"]), ("a",), "^X", "--left_out")
    with pytest.raises(InputError, match=r"1 of 2 .* 'b0' .* of the others: a \(1\)"):
        divide(make(["a_0", "b0"]), ("a",), GROUP_BY, "--left_out")
    with pytest.raises(InputError, match="no regular expression: "):
        divide(make(["a_0"]), ("a",), "(", "--left_out")


def test_a_sample_in_two_splits():
    with pytest.raises(InputError, match="--split=train,val: the splits share .*'b'"):
        join_samples([make(["a", "b"]), make(["b", "c"], "val")])


def test_several_splits_of_a_data_set():
    both = load_samples("toy_streets", "train,val")
    assert len(both) == 160 and both.split == "train,val"
    assert both[128].name == "val_0000" == load_samples("toy_streets", "val")[0].name
    assert divide(both, ("val",), GROUP_BY, "--groups")[0].names == both.names[128:]
    with pytest.raises(InputError, match="names a split twice"):
        load_samples("toy_streets", "train,train")
    with pytest.raises(InputError, match="no split 'dev'"):
        load_samples("toy_streets", "train,dev")


def test_names_without_being_told():
    samples = load_samples("toy_streets", "val")
    untold = Samples(INFO, "val", 3, lambda index: samples[index])
    assert untold.names == samples.names[:3]
