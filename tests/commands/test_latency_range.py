"""The range of a space's latencies: estimated by a few networks, or from the table."""

import dataclasses

import numpy as np
import pytest

from lgcnet_tf.commands import latency_range
from lgcnet_tf.commands.measure_latency import MeasureOptions, measure_latency
from lgcnet_tf.errors import InputError
from lgcnet_tf.space.genotype import random_genotype

SIZE = (192, 320)
LAWS = {"light": (0.5, 0.2, 0.01), "heavy": (2.0, 1.5, 0.2)}
"""ms, of 1, of 1e5 pixels · F, of 1e5 pixels · F²."""


def time_of(name, size, channels):
    constant, linear, square = LAWS[name.split()[0]]
    pixels = size[0] * size[1] / 1e5
    extra = 1.2 if name in ("heavy sep_conv_3x3", "light to 0") else 1.0
    return extra * (constant + pixels * (linear * channels + square * channels**2))


def measure(networks, size):
    return {
        name: time_of(name, size, genotype.skeleton.initial_channels)
        for name, genotype in networks.items()
    }


@pytest.fixture
def space(small_skeleton):
    return small_skeleton(initial_channels=8)


def test_estimates_follow_the_law_between_the_measured_settings(space):
    found = latency_range.estimate_ranges(space, SIZE, measure)
    assert (found[0].input_size, found[0].initial_channels) == (SIZE, 8)
    assert len(found) == 9
    for one in found:
        size, channels = one.input_size, one.initial_channels
        assert one.fastest_ms == pytest.approx(time_of("light to 2", size, channels))
        slowest = time_of("heavy sep_conv_3x3", size, channels)
        assert one.slowest_ms == pytest.approx(slowest)


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_no_coefficient_is_below_zero(missing):
    """Noise that an exact fit would explain by a negative one."""
    settings = [((192, 320), 8), ((96, 160), 8), ((192, 320), 4)]
    law = np.array([1.0, 0.5, 0.05])
    law[missing] = 0.0
    times = [latency_range.features(*setting) @ law for setting in settings]
    np.testing.assert_allclose(latency_range.fit_law(settings, times), law, atol=1e-9)
    times[missing] *= 0.9
    assert (latency_range.fit_law(settings, times) >= 0).all()


def test_light_and_heavy_networks_enclose_others_by_their_work(space, make_table):
    """With a table whose times are the work's multiplications."""
    from lgcnet_tf.latency.estimate import CostModel

    table = make_table(space, SIZE)
    entries = {}
    for key, entry in table.entries.items():
        shape = [int(n) for n in key.split()[2].split("x")]
        work = float(np.prod(shape)) * (9 if "conv_3x3" in key else 1)
        entries[key] = dataclasses.replace(entry, median_us=work / 1e3)
    costs = CostModel(dataclasses.replace(table, entries=entries), space, SIZE)
    networks = latency_range.candidates(space)
    assert all(genotype.has_path for genotype in networks.values())
    ms = {name: costs.predicted_latency(genotype) for name, genotype in networks.items()}  # fmt: skip
    lightest = min(t for name, t in ms.items() if name.startswith("light"))
    generator = np.random.default_rng(0)
    drawn = (random_genotype(space, generator) for _ in range(50))
    others = [costs.predicted_latency(g) for g in drawn if g.has_path]
    assert lightest < min(others) and max(others) < max(ms.values())


def test_suggestions_hold_the_target_and_prefer_large_images(space):
    found = latency_range.estimate_ranges(space, SIZE, measure)
    target = found[0].slowest_ms / 3
    chosen = latency_range.suggestions(found, target)
    assert 1 <= len(chosen) <= 3
    for one in chosen:
        assert one.fastest_ms * 1.25 <= target <= one.slowest_ms / 1.25
    pixels = [one.input_size[0] * one.input_size[1] for one in chosen]
    assert pixels == sorted(pixels, reverse=True)
    assert latency_range.suggestions(found, 1e6) == []


def test_quick_says_ranges_and_suggests(tmp_path, monkeypatch, capsys):
    def measured(networks, size, *_, **__):
        return {name: [1e3 * ms] * 3 for name, ms in measure(networks, size).items()}

    monkeypatch.setattr("lgcnet_tf.latency.measure.measure_networks", measured)
    options = MeasureOptions(
        quick=True, target_latency_ms=20.0, input_size=SIZE, num_cells=3,
        reduction_cells=(1, 2), fusion_taps=(0, 1, 2), output_dir=str(tmp_path / "run"),
    )  # fmt: skip
    results = measure_latency(options)
    assert not (tmp_path / "run" / "latency_table.json").exists()
    first = results["estimates"][0]
    assert first["slowest_ms"] == pytest.approx(time_of("heavy sep_conv_3x3", SIZE, 8))
    assert results["suggestions"][0] == "--input_size=192x320 --initial_channels=16"
    said = capsys.readouterr().err
    assert "--input_size=96x160 --initial_channels=4: " in said
    assert said.count(results["suggestions"][0]) == 2


def test_a_refused_target_says_what_to_turn():
    with pytest.raises(InputError, match="out of reach. Give another target; or .*--quick"):  # fmt: skip
        with latency_range.saying_what_to_turn():
            raise InputError("5 ms is out of reach.")


def test_the_range_by_a_table_is_that_of_the_search(space, make_table):
    low, high = latency_range.range_of_table(make_table(space, SIZE))
    assert 0 < low < high
