import numpy as np
import pytest

from lgcnet_tf.runtimes.device import timing
from lgcnet_tf.runtimes.device.timing import (
    Reference,
    Turns,
    levelled_medians,
    relative_spread,
)


def test_turns():
    order = []
    callables = {name: lambda name=name: order.append(name) for name in "ab"}
    between = lambda: order.append("-")
    turns = Turns(callables, warmup=2, min_time_us=0.0, between=between)
    times = turns.round()
    turns.round()
    assert "".join(order) == "aabb" + 2 * "a-b-"
    assert set(times) == {"a", "b"} and all(t > 0 for t in times.values())


def test_a_sample_is_the_mean_of_calls_that_take_long_enough(monkeypatch):
    calls = []
    clock_ns = lambda: 1_200_000 * len(calls)  # a call takes 1.2 ms
    monkeypatch.setattr(timing.time, "perf_counter_ns", clock_ns)
    turns = Turns({"a": lambda: calls.append(None)}, 1, min_time_us=5000.0)
    before = len(calls)
    assert turns.round()["a"] == pytest.approx(1200.0)
    assert len(calls) - before == 5


def test_the_reference_is_not_timed_all_the_time(monkeypatch):
    times = []
    reference = Reference(lambda: None, times)
    reference()
    reference()
    assert len(times) == 1
    monkeypatch.setattr(timing, "REFERENCE_EVERY_S", 0.0)
    reference()
    assert len(times) == 2


def test_relative_spread():
    assert relative_spread([10.0, 1.0, 2.0, 3.0, 4.0]) == pytest.approx(2.0 / 3.0)
    assert relative_spread([0.0, 0.0]) == 0.0


def test_levelled_medians_stand_at_one_speed_of_the_machine():
    generator = np.random.default_rng(0)
    true = np.array([1000.0, 2000.0, 2100.0, 5000.0, 9000.0])
    speed = np.tile(np.where(np.arange(21) < 10, 2.2, 1.0), (5, 1))
    speed[:3, 10] = 2.2  # the disturbance ends in the middle of a round
    times = true[:, None] * speed * generator.lognormal(0.0, 0.02, (5, 21))
    found = levelled_medians(dict(zip("abcde", times)))
    ratios = np.array(list(found.values())) / true
    assert np.ptp(ratios) / ratios.mean() < 0.03
    plain = np.median(times, axis=1) / true
    assert np.ptp(plain) / plain.mean() > 0.5
    assert times.min(1)[0] < found["a"] < times.max(1)[0]


def test_levelled_medians_of_one_function_is_its_median():
    times = np.array([3.0, 1.0, 2.0, 50.0, 4.0])
    assert levelled_medians({"a": times})["a"] == pytest.approx(3.0)
