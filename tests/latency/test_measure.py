import time

import keras
import numpy as np
import pytest

from lgcnet_tf.latency import measure
from lgcnet_tf.latency.estimate import CostModel
from lgcnet_tf.latency.network_pool import draw_pool, name_of
from lgcnet_tf.latency.samples import SampleStore
from lgcnet_tf.latency.table import LatencyTable, timed
from lgcnet_tf.model.network import Network
from lgcnet_tf.runtimes import get_runtime
from lgcnet_tf.space.genotype import uniform
from lgcnet_tf.space.skeleton import Skeleton
from lgcnet_tf.space.workloads import workloads

SIZE = (32, 64)


def test_samples_take_turns():
    order = []
    callables = {name: lambda name=name: order.append(name) for name in "abc"}
    times = measure.samples(callables, repeats=4, warmup=2, min_time_us=0.0)
    assert "".join(order) == "aabbcc" + 4 * "abc"
    assert {key: values.shape for key, values in times.items()} == dict.fromkeys(
        "abc", (4,)
    )


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
    work = [*timed(tiny, SIZE), workloads(tiny, SIZE).argmax]
    assert set(table.entries) == {w.key for w in work}
    assert all(e.count == 3 for e in table.entries.values())
    assert sum(e.median_us > 0 for e in table.entries.values()) > 0.4 * len(work)
    assert steps[len(work) - 1] == ("compiling", len(work), len(work))
    assert steps[-1] == ("measuring", 3, 3)
    assert table.precision == "float32" and table.threads >= 1
    assert table.reference_us > 0 and table.drift >= 1.0
    table.save(tmp_path / "table.json")
    costs = CostModel(LatencyTable.load(tmp_path / "table.json"), tiny, SIZE)
    latency_us = costs.predicted_latency(uniform(tiny, "conv_3x3"))
    assert latency_us > costs.unpruned_us - 1e-6  # the sums are not in one order
    assert costs.unpruned_us > 0


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


class CountingRuntime:
    """Compiles nothing; what it runs takes no time."""

    device, name, version, precision, threads = "none", "counting", "1", "float32", 1
    call_overhead_us = 0.0

    def __init__(self):
        self.compiled = []

    def compile(self, layer, shape, dtype="float32"):
        self.compiled.append(shape)
        return lambda: None

    def compile_loop(self, layer, shape, dtype="float32"):
        self.compiled.append(shape)
        return lambda times: None


def stop_after(rounds):
    def progress(stage, done, total):
        if stage.startswith("measuring") and done == rounds:
            raise InterruptedError

    return progress


def test_a_table_goes_on_after_the_last_whole_round(tiny):
    store, runtime = SampleStore(), CountingRuntime()
    arguments = {"repeats": 5, "warmup": 1, "min_time_us": 0.0, "store": store}
    with pytest.raises(InterruptedError):
        measure.measure_table(tiny, SIZE, runtime, **arguments, progress=stop_after(2))
    kept = {key: list(times) for key, times in store.operations.items()}
    assert all(len(times) == 2 for times in kept.values())
    table = measure.measure_table(tiny, SIZE, runtime, **arguments)
    assert all(entry.count == 5 for entry in table.entries.values())
    assert all(store.operations[key][:2] == kept[key] for key in kept)
    runtime.compiled.clear()
    again = measure.measure_table(tiny, SIZE, runtime, **arguments)
    assert again.entries == table.entries
    assert not runtime.compiled


def test_networks_measured_before_are_not_measured_again(tiny, monkeypatch):
    monkeypatch.setattr(measure, "MAX_NETWORKS_IN_MEMORY", 2)
    store, runtime = SampleStore(), CountingRuntime()
    networks = {name_of(genotype): genotype for genotype in draw_pool(tiny, 0, 5)}
    first = dict(list(networks.items())[:3])
    arguments = {"repeats": 4, "warmup": 1, "store": store}
    times = measure.measure_networks(first, SIZE, runtime, **arguments)
    assert {name: t.shape for name, t in times.items()} == dict.fromkeys(first, (4,))
    of_networks = [shape for shape in runtime.compiled if shape[-1] == 3]
    assert of_networks == [(1, *SIZE, 3)] * 3
    runtime.compiled.clear()
    every = measure.measure_networks(networks, SIZE, runtime, **arguments)
    assert len([shape for shape in runtime.compiled if shape[-1] == 3]) == 2
    for name in first:
        np.testing.assert_array_equal(every[name], times[name])


def test_whole_networks_on_a_real_runtime(runtime, tiny):
    networks = {name_of(genotype): genotype for genotype in draw_pool(tiny, 0, 2)}
    store = SampleStore()
    times = measure.measure_networks(networks, SIZE, runtime, 3, 1, store=store)
    assert all(t.shape == (3,) and t.min() > 10.0 for t in times.values())
    assert store.reference_us > 0.0


def test_what_a_call_costs_is_taken_off(tiny):
    class Slow(CountingRuntime):
        call_overhead_us = 300.0

        def compile_loop(self, layer, shape, dtype="float32"):
            return lambda times: time.sleep(times * 0.0004)

    table = measure.measure_table(tiny, SIZE, Slow(), 5, 1, min_time_us=0.0)
    medians = [entry.median_us for entry in table.entries.values()]
    assert 90 < np.median(medians) < 300


class Recorder:
    """Stands in for a runtime and notes what it is asked for."""

    name = version = device = "none"
    precision, threads, call_overhead_us = "float32", 1, 1e9

    def __init__(self):
        self.shapes = []

    def compile(self, layer, shape, dtype="float32"):
        return lambda: None

    def compile_loop(self, layer, shape, dtype="float32"):
        self.shapes.append(shape)
        return lambda times: None


def test_batch_and_cost_of_a_call(tiny):
    recorder = Recorder()
    table = measure.measure_table(
        tiny, SIZE, recorder, repeats=2, warmup=1, min_time_us=0.0, batch_size=3
    )
    assert {shape[0] for shape in recorder.shapes} == {3} and table.batch_size == 3
    # What a call is said to cost is taken off, and no time falls below zero.
    assert {entry.median_us for entry in table.entries.values()} == {0.0}


def test_no_scale_is_one_and_no_offset_zero(tiny):
    """A runtime would leave out such work, which a trained network has."""
    (workload, *_) = [w for w in timed(tiny, SIZE) if w.operation == "max_pool_3x3"]
    layer = measure.build_workload(workload)
    values = [keras.ops.convert_to_numpy(v) for v in layer.variables]
    assert len(values) == 2
    assert all(((v != 0) & (v != 1)).all() for v in values)
