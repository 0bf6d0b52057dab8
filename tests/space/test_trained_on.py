"""Records of trainings: what goes in comes out."""

import pytest

from lgcnet_tf.errors import InputError
from lgcnet_tf.space.trained_on import (
    TRAINED_ON,
    join_records,
    names_trained_on,
    record,
)


def test_union_by_data_set():
    first = record("camvid", ["b", "a"], "train", ("x",), "^(.)")
    second = record("camvid", ["b", "c"], "val")
    other = record("toy_streets", ["d"], "train")
    assert first["images"] == 2 and first["left_out"] == ["x"]
    assert "left_out" not in second
    records = join_records([first], [second, other], [dict(first)])
    assert records == [first, second, other]
    assert names_trained_on({TRAINED_ON: records}, "camvid") == {"a", "b", "c"}
    assert names_trained_on({TRAINED_ON: records}, "toy_streets") == {"d"}
    assert names_trained_on({TRAINED_ON: records}, "cityscapes") == set()
    assert names_trained_on({"seed": 0}, "camvid") is None


def test_a_record_is_small():
    names = [f"0016E5_{number:05d}" for number in range(468)]
    assert len(record("camvid", names, "train,val")["names"]) < 4000


@pytest.mark.parametrize(
    "records", [3, ["x"], [{"dataset": "d"}], [{"dataset": "d", "names": "%%"}], [{}]]
)
def test_damaged_records(records):
    with pytest.raises(InputError, match="trained_on is malformed"):
        names_trained_on({TRAINED_ON: records}, "d")
