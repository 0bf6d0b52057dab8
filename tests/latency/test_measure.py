import time

import keras
import numpy as np
import pytest

from lgcnet_tf.latency import measure
from lgcnet_tf.latency.estimate import CostModel
from lgcnet_tf.latency.runtimes import get_runtime
from lgcnet_tf.latency.table import LatencyTable, timed
from lgcnet_tf.model.network import Network
from lgcnet_tf.space.genotype import uniform
from lgcnet_tf.space.skeleton import Skeleton

SIZE = (32, 64)


def test_samples_take_turns():
    order = []
    callables = {name: lambda name=name: order.append(name) for name in "abc"}
    times = measure.samples(callables, repeats=4, warmup=2, min_time_us=0.0)
    assert "".join(order) == "aabbcc" + 4 * "abc"
    assert {key: values.shape for key, values in times.items()} == {
        key: (4,) for key in "abc"
    }


def test_fast_functions_are_called_more_often():
    calls = {"fast": 0, "slow": 0}

    def fast():
        calls["fast"] += 1

    def slow():
        calls["slow"] += 1
        time.sleep(0.002)

    entries = measure.measure(
        {"fast": fast, "slow": slow}, repeats=3, warmup=1, min_time_us=1000.0
    )
    assert calls["slow"] == 1 + 3
    assert calls["fast"] > 100
    assert entries["fast"].median_us < 1000 < 2000 <= entries["slow"].median_us
    assert entries["slow"].count == 3


def test_summary():
    entry = measure.summarize(np.array([10.0, 1.0, 2.0, 3.0, 4.0]))
    assert (entry.median_us, entry.spread_us, entry.count) == (3.0, 2.0, 5)
    assert measure.summarize(np.array([-3.0, -2.0, -1.0])).median_us == 0.0


@pytest.fixture(scope="module")
def runtime():
    pytest.importorskip("tensorflow")
    if keras.backend.backend() != "tensorflow":
        pytest.skip("needs Keras on TensorFlow")
    return get_runtime("tensorflow_graph")


def test_real_table_of_a_tiny_space(runtime, tmp_path):
    tiny = Skeleton(3, 2, 2, reduction_cells=(), fusion="none", fusion_taps=())
    steps = []
    table = measure.measure_table(
        tiny,
        SIZE,
        runtime,
        repeats=3,
        warmup=1,
        min_time_us=0.0,
        progress=lambda *step: steps.append(step),
    )
    work = timed(tiny, SIZE)
    assert set(table.entries) == {w.key for w in work}
    assert all(e.count == 3 for e in table.entries.values())
    assert sum(e.median_us > 0 for e in table.entries.values()) > 0.8 * len(work)
    assert steps[len(work) - 1] == ("compiling", len(work), len(work))
    assert steps[-1] == ("measuring", 3, 3)
    assert table.precision == "float32" and table.threads >= 1
    table.save(tmp_path / "table.json")
    costs = CostModel(LatencyTable.load(tmp_path / "table.json"), tiny, SIZE)
    assert costs.predicted_latency(uniform(tiny, "conv_3x3")) > costs.fixed > 0


def test_real_network(runtime, tiny):
    genotype = uniform(tiny, "max_pool_3x3")
    network = Network(tiny, SIZE, genotype, normalization="folded")
    entry = measure.measure_network(network, runtime, repeats=3, warmup=1)
    assert entry.count == 3
    assert entry.median_us > 10
    images = np.random.default_rng(0).integers(0, 256, (2, *SIZE, 3))
    classes = keras.ops.convert_to_numpy(measure.ClassMap(network)(images))
    assert classes.dtype == np.uint8
    np.testing.assert_array_equal(
        classes, np.argmax(keras.ops.convert_to_numpy(network(images)), -1)
    )
