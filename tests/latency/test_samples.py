import json

import pytest

from lgcnet_tf.errors import InputError
from lgcnet_tf.latency import samples
from lgcnet_tf.latency.samples import SampleStore


def test_rounds_are_kept_and_read_again(tmp_path):
    path = tmp_path / "samples.json"
    store = SampleStore(path)
    store.add("operations", {"conv": 10.0, "pool": 2.00049})
    store.add("operations", {"conv": 12.0, "pool": 3.0})
    store.add("networks", {"a": 100.0})
    store.reference += [5.0, 7.0]
    store.save()
    again = SampleStore(path)
    assert again.operations == {"conv": [10.0, 12.0], "pool": [2.0, 3.0]}
    assert again.networks == {"a": [100.0]}
    assert again.reference == [5.0, 7.0]
    assert [p.name for p in tmp_path.iterdir()] == ["samples.json"]


def test_saves_by_itself_now_and_then(tmp_path, monkeypatch):
    path = tmp_path / "samples.json"
    store = SampleStore(path)
    store.add("operations", {"conv": 10.0})
    assert not path.exists()
    monkeypatch.setattr(samples, "SAVE_EVERY_S", 0.0)
    store.add("operations", {"conv": 11.0})
    assert SampleStore(path).operations == {"conv": [10.0, 11.0]}


def test_in_memory():
    store = SampleStore()
    store.add("networks", {"a": 1.0})
    store.save()
    assert store.reference_us is None and store.drift is None


def test_drift_is_of_the_slow_moments():
    store = SampleStore()
    store.reference += [10.0] * 8 + [15.0] * 2
    assert store.reference_us == 10.0
    assert store.drift == pytest.approx(1.5)
    store.reference[:] = [10.0] * 10
    assert store.drift == 1.0


@pytest.mark.parametrize(
    "content", [[], {}, {"operations": {}, "networks": {}, "reference": ["x"]}]
)
def test_damaged_file(tmp_path, content):
    path = tmp_path / "samples.json"
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match="samples.json: no file of samples; remove it"):
        SampleStore(path)
