"""What is taken of a device's samples, and what not."""

import json

import numpy as np
import pytest

from lgcnet_tf.errors import InputError
from lgcnet_tf.latency.device_samples import Measured, read_samples

MEASURED = Measured("onnxruntime", "float32", (32, 64), 1, "0123456789abcdef")


def samples():
    """Two rounds of two operations and of two networks."""
    facts = {
        "device": "a board",
        "threads": 4,
        "runtime_version": "1.2",
        "date": "then",
    }
    return {
        "facts": MEASURED.to_dict() | facts,
        "operations": {"conv": [10.0, -1.0], "pool": [2.0, 3.0]},
        "networks": {"a": [100.0, 101.0], "b": [200.0, 199.0]},
        "reference": [5.0],
    }


def read(folder, found):
    path = folder / "samples.json"
    path.write_text(json.dumps(found))
    return read_samples(path, MEASURED, ("conv", "pool"), ("a", "b", "c"), 2, 2, 2)


def test_what_fits(tmp_path):
    before = samples()
    runtime, store = read(tmp_path, before)
    assert (runtime.name, runtime.version, runtime.device, runtime.threads) == (
        "onnxruntime", "1.2", "a board", 4,
    )  # fmt: skip
    assert runtime.date == "then"
    assert store.operations == before["operations"]
    assert store.networks == before["networks"] and store.reference == [5.0]
    store.save()  # the device's file stays as it is
    assert json.loads((tmp_path / "samples.json").read_text()) == before


def _first(found):
    return next(iter(found))


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda f: f["facts"].update(runtime="litert"), "of another runtime .litert. th"),
        (lambda f: f["facts"].update(precision="int8"), "another precision .int8. than"),
        (lambda f: f["facts"].update(input_size=[64, 96]), "another input size .64x96. than is wanted here .32x64."),
        (lambda f: f["facts"].update(batch_size=2), "another batch size .2. than is"),
        (lambda f: f["facts"].update(space_id="other"), "another space id .other. than"),
        (lambda f: f["operations"].popitem(), "0 of 2 times of .*; run time_models.py"),
        (lambda f: f["operations"][_first(f["operations"])].pop(), "1 of 2 times of"),
        (lambda f: f["networks"][_first(f["networks"])].pop(), "1 of 2 times of"),
        (lambda f: f["networks"].popitem(), "not complete, it has 1 of 2 networks"),
        (lambda f: f["operations"].update(x=[1.0]), "times of 'x', which is not wanted"),
        (lambda f: f["networks"].update(x=[1.0]), "times of 'x', which is not wanted"),
        (lambda f: f["networks"][_first(f["networks"])].append(-1.0), "not above 0"),
        (lambda f: f["operations"][_first(f["operations"])].append(np.nan), "no numbers"),
        (lambda f: f["facts"].pop("device"), "does not say what it was taken on"),
        (lambda f: f.pop("facts"), "lacks its facts"),
        (lambda f: f.pop("networks"), "no file of samples"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_in_a_line(change, words, tmp_path):
    found = samples()
    change(found)
    with pytest.raises(InputError, match=words) as error:
        read(tmp_path, found)
    assert str(tmp_path) in str(error.value)
    assert len(str(error.value).splitlines()) == 1
