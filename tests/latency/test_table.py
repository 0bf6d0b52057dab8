import dataclasses
import json

import pytest

from lgcnet_tf.data import DatasetInfo
from lgcnet_tf.errors import InputError
from lgcnet_tf.latency.table import Calibration, LatencyTable, timed
from lgcnet_tf.space.skeleton import Skeleton
from lgcnet_tf.space.workloads import workloads

SIZE = (32, 64)


@pytest.fixture
def saved(tmp_path, tiny, make_table):
    path = tmp_path / "table.json"
    make_table(tiny, SIZE).save(path)
    return path


def test_written_and_read_again(saved, tiny, make_table):
    table = make_table(tiny, SIZE)
    read = LatencyTable.load(saved)
    assert read == table
    assert read.table_id == table.table_id
    assert [p.name for p in saved.parent.iterdir()] == ["table.json"]


CALIBRATION = Calibration(
    {"conv_3x3": 2.0}, 30.0, 0.9, 0.05, 0.1, {"a": 5.0}, 0.2, 0.05
)


def test_what_older_tables_lack_is_optional(saved, tiny, make_table):
    older = json.loads(saved.read_text())
    assert not {"calibration", "reference_us", "drift"} & older.keys()
    table = dataclasses.replace(
        make_table(tiny, SIZE), reference_us=5.0, drift=1.1, calibration=CALIBRATION
    )
    table.save(saved)
    assert LatencyTable.load(saved) == table
    assert table.table_id != make_table(tiny, SIZE).table_id


def test_classes_survive_and_older_tables_have_none(saved, tiny, make_table):
    assert LatencyTable.load(saved).classes is None
    classes = DatasetInfo.of("own", {"a": (1, 2, 3), "b": (4, 5, 6), "c": (7, 8, 9)})
    table = dataclasses.replace(make_table(tiny, SIZE), classes=classes)
    table.save(saved)
    read = LatencyTable.load(saved)
    assert read == table and read.table_id == table.table_id
    assert (read.classes.name, read.classes.class_names) == ("own", ("a", "b", "c"))
    assert read.classes.palette.tolist() == [[1, 2, 3], [4, 5, 6], [7, 8, 9]]
    content = json.loads(saved.read_text())
    content["classes"]["colors"] = [[1, 2]]
    saved.write_text(json.dumps(content))
    with pytest.raises(InputError, match="table.json: latency table: classes: must"):
        LatencyTable.load(saved)


def test_calibrated_times_come_first(tiny, make_table):
    table = make_table(tiny, SIZE)
    first, second, *_ = timed(tiny, SIZE)
    calibration = dataclasses.replace(CALIBRATION, times_us={first.key: 7.0})
    calibrated = dataclasses.replace(table, calibration=calibration)
    assert calibrated[first] == 7.0
    assert calibrated[second] == table[second]
    assert calibrated.entries[first.key] == table.entries[first.key]


def test_id_changes_with_the_content(tiny, make_table):
    ids = {make_table(tiny, SIZE, seed).table_id for seed in range(3)}
    assert len(ids) == 3


def test_times_of_workloads(tiny, make_table):
    table = make_table(tiny, SIZE)
    work = workloads(tiny, SIZE)
    for workload in work.distinct():
        if workload.free:
            assert table[workload] == 0.0
            assert workload.key not in table.entries
        else:
            assert table[workload] == table.entries[workload.key].median_us > 0
    free = {(w.operation, w.stride) for w in work.distinct() if w.free}
    assert free == {("none", 1), ("none", 2), ("skip_connect", 1)}


def test_unknown_workload(tiny, make_table):
    table = make_table(tiny, SIZE)
    other = timed(tiny, (64, 64))[0]
    with pytest.raises(InputError, match=other.key):
        table[other]


def test_fits_its_own_search_space(tiny, make_table):
    make_table(tiny, SIZE).check(tiny, SIZE)


def test_another_input_size(tiny, make_table):
    with pytest.raises(InputError, match="input 32x64, but 360x480 is wanted"):
        make_table(tiny, SIZE).check(tiny, (360, 480))


def test_another_search_space_names_the_difference(tiny, make_table):
    other = Skeleton(**tiny.to_dict() | {"num_classes": 5})
    with pytest.raises(InputError, match="num_classes is 3 .*5 is wanted.*it lacks"):
        make_table(tiny, SIZE).check(other, SIZE)


def test_a_table_of_an_earlier_release(tiny, make_table):
    table = make_table(tiny, SIZE)
    entries = dict(list(table.entries.items())[1:])
    with pytest.raises(InputError, match="earlier release: measure it again; it lacks"):
        dataclasses.replace(table, entries=entries).check(tiny, SIZE)


def test_part_of_the_search_space_is_another(tiny, make_table):
    smaller = Skeleton(**tiny.to_dict() | {"fusion": "none"})
    with pytest.raises(InputError, match="fusion is dense in the table, none"):
        make_table(tiny, SIZE).check(smaller, SIZE)


def test_missing_workloads_are_named(tiny, make_table):
    table = make_table(tiny, SIZE)
    key = next(iter(table.entries))
    del table.entries[key]
    with pytest.raises(InputError, match=f"lacks '{key}'"):
        table.check(tiny, SIZE)


def drop(name):
    return lambda config: config.pop(name)


def put(name, value):
    return lambda config: config.__setitem__(name, value)


def entry(**change):
    return lambda config: next(iter(config["entries"].values())).update(change)


def calibrated(**change):
    return put("calibration", dataclasses.asdict(CALIBRATION) | change)


def lose_median(config):
    del next(iter(config["entries"].values()))["median_us"]


@pytest.mark.parametrize(
    "change, message",
    [
        (drop("format_version"), "not a latency table"),
        (put("format_version", 2), "format version 2; this release reads version 1"),
        (drop("device"), "lacks the field 'device'"),
        (put("speed", 1), "unknown field 'speed'"),
        (put("input_size", [32]), "input_size must be"),
        (put("threads", 0), "threads must be a whole number of at least 1"),
        (put("drift", -1.0), "drift must be a finite number of at least 0"),
        (put("calibration", []), "calibration must be an object"),
        (put("calibration", {}), "calibration: lacks the field 'constant_us'"),
        (calibrated(networks=["a"]), "calibration: networks must be an object"),
        (calibrated(times_us={"a": -1}), "calibration: times_us: a must be a finite"),
        (put("entries", []), "entries must be an object"),
        (put("skeleton", {"num_cells": 3}), "skeleton: needs exactly the fields"),
        (lose_median, "entry .* lacks the field 'median_us'"),
        (entry(median_us="12"), "median_us must be a finite number"),
        (entry(median_us=-1.0), "median_us must be a finite number of at least 0"),
        (entry(spread_us=float("nan")), "spread_us must be a finite number"),
        (entry(count=True), "count must be a whole number"),
        (entry(mean_us=1.0), "unknown field 'mean_us'"),
    ],
)
def test_bad_files(saved, change, message):
    config = json.loads(saved.read_text())
    change(config)
    saved.write_text(json.dumps(config))
    with pytest.raises(InputError, match=message) as error:
        LatencyTable.load(saved)
    assert str(saved) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("text", ["", "{", "[]", "3"])
def test_no_table_at_all(saved, text):
    saved.write_text(text)
    with pytest.raises(InputError, match=str(saved)):
        LatencyTable.load(saved)


def test_no_file(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        LatencyTable.load(tmp_path / "absent.json")


def test_batch(tiny, make_table, tmp_path):
    one = make_table(tiny, SIZE)
    four = dataclasses.replace(one, batch_size=4)
    four.save(tmp_path / "table.json")
    assert LatencyTable.load(tmp_path / "table.json") == four
    four.check(tiny, SIZE)
    four.check(tiny, SIZE, batch_size=4)
    with pytest.raises(InputError, match="measured at batch 4, but 1 is wanted"):
        four.check(tiny, SIZE, batch_size=1)
    # Tables that were written before have no such field, and keep their id.
    assert "batch_size" not in one.to_dict() and one.table_id != four.table_id
    one.check(tiny, SIZE, batch_size=1)
