import dataclasses

import numpy as np
import pytest

from lgcnet_tf.latency.agreement import agreement
from lgcnet_tf.latency.calibrate import (
    MIN_FRACTION_OF_PRIOR,
    calibrate,
    d_optimal_subset,
    design,
    fit,
)
from lgcnet_tf.latency.estimate import CostModel
from lgcnet_tf.latency.network_pool import draw_pool, name_of, spread_genotypes
from lgcnet_tf.latency.table import LatencyEntry, LatencyTable
from lgcnet_tf.space.skeleton import Skeleton
from lgcnet_tf.space.workloads import workloads

SIZE = (120, 160)
SPACE = Skeleton(num_classes=11)


@pytest.fixture(scope="module")
def table(make_table):
    """Times that grow with the size of the map, as real ones do, and the argmax."""
    made = make_table(SPACE, SIZE)
    generator = np.random.default_rng(3)
    argmax = workloads(SPACE, SIZE).argmax
    entries = {}
    for key in (*made.entries, argmax.key):
        height, width, channels = map(int, key.split()[1].split("x"))
        time_us = height * width * channels / 1000 * generator.uniform(0.5, 3.0)
        entries[key] = LatencyEntry(round(time_us, 3), 1.0, 10)
    return dataclasses.replace(made, entries=entries)


class Machine:
    """Runs networks faster than the sum of their parts, each part in its own way."""

    def __init__(self, table, work_of, seed=0, own=0.25, noise=0.01):
        self.work_of = work_of
        self.generator, self.noise = np.random.default_rng(seed), noise
        kinds = {key.split()[0] for key in table.entries}
        kind = {name: self.generator.uniform(0.5, 1.0) for name in sorted(kinds)}
        self.times_us = {
            key: entry.median_us
            * kind[key.split()[0]]
            * self.generator.uniform(1 - own, 1 + own)
            for key, entry in table.entries.items()
        }

    def measure(self, genotypes):
        space = workloads(SPACE, SIZE)
        exact = [
            300.0 + sum(self.times_us.get(w.key, 0.0) for w in self.work_of(g, space))
            for g in genotypes
        ]
        return np.array(exact) * self.generator.normal(1.0, self.noise, len(exact))


def predictions(table, genotypes):
    costs = CostModel(table, SPACE, SIZE)
    return np.array([costs.predicted_latency(genotype) for genotype in genotypes])


@pytest.mark.parametrize("seed", (1, 2))  # machines that the bare medians miss
def test_what_a_runtime_does_to_networks_is_found(table, seed, derived_work):
    machine = Machine(table, derived_work, seed)
    networks = d_optimal_subset(table, draw_pool(SPACE, 0, 300), 32)
    taken = machine.measure(networks)
    calibrated = calibrate(table, networks, taken)
    seen = {name_of(genotype) for genotype in networks}
    others = spread_genotypes(CostModel(table, SPACE, SIZE), 40, 1, without=seen)
    assert not {name_of(g) for g in others} & seen
    measured = machine.measure(others)
    before = agreement(predictions(table, others), measured)
    after = agreement(predictions(calibrated, others), measured)
    assert before["median_abs_error"] > 0.15
    assert after["median_abs_error"] < 0.03
    assert after["p90_abs_error"] < 0.08
    assert after["spearman"] > 0.99
    found = calibrated.calibration
    assert set(found.networks) == seen and len(seen) == 32
    np.testing.assert_allclose(list(found.networks.values()), taken, rtol=1e-4)
    assert found.error_before > 0.15
    assert found.error_after < 0.05
    assert 0.4 < found.scale < 1.1


def test_networks_run_as_the_sum_of_their_parts_change_little(table):
    networks = draw_pool(SPACE, 0, 24)
    calibrated = calibrate(table, networks, predictions(table, networks))
    assert calibrated.calibration.error_before == 0.0
    assert calibrated.calibration.error_after < 0.005
    assert calibrated.calibration.scale == pytest.approx(1.0)
    for key, time_us in calibrated.calibration.times_us.items():
        assert time_us == pytest.approx(table.entries[key].median_us, rel=0.05)


def test_left_out_errors_are_those_of_fits_to_the_others(table, derived_work):
    networks = draw_pool(SPACE, 0, 24)
    found = design(table, networks)
    measured = Machine(table, derived_work).measure(networks)
    whole = fit(found, measured, 0.2)
    others = np.arange(24) != 7
    one = fit(found.rows(others), measured[others], 0.2)
    expected = one.predict(found.counts[7]) / measured[7] - 1.0
    assert whole.left_out[7] == pytest.approx(expected, abs=0.005)
    fitted = whole.predict(found.counts[7]) / measured[7] - 1.0
    assert abs(fitted) < abs(expected)


def test_the_prediction_is_linear_in_the_counts(table):
    networks = draw_pool(SPACE, 5, 20)
    found = design(table, networks)
    medians = [table.entries[key].median_us for key in found.keys]
    np.testing.assert_allclose(
        found.counts @ medians, predictions(table, networks), rtol=1e-12
    )


def test_times_stay_positive(table):
    networks = draw_pool(SPACE, 0, 24)
    found = design(table, networks)
    generator = np.random.default_rng(0)
    noise = predictions(table, networks) * generator.uniform(0.3, 2.0, 24)
    fitted = fit(found, noise, 0.8)
    low = MIN_FRACTION_OF_PRIOR * fitted.scale * found.prior_us
    assert (fitted.times_us >= low * (1 - 1e-9)).all()
    assert (fitted.times_us <= low * 1.001).any()
    assert fitted.constant_us >= 0.0


def test_a_time_lost_in_the_noise_can_grow(table):
    key = next(k for k in table.entries if k.startswith("conv_3x3"))
    lost = {**table.entries, key: LatencyEntry(0.0, 5.0, 10)}
    lost = dataclasses.replace(table, entries=lost)
    networks = draw_pool(SPACE, 0, 40)
    calibrated = calibrate(lost, networks, predictions(table, networks))
    assert calibrated.calibration.times_us[key] > 0.0


def test_chosen_networks_are_spread_and_hold_every_work(table):
    pool = draw_pool(SPACE, 0, 300)
    networks = d_optimal_subset(table, pool, 32)
    assert len({name_of(g) for g in networks}) == 32
    latencies = predictions(table, networks)
    every = predictions(table, pool)
    assert np.ptp(latencies) > 0.9 * np.ptp(every)
    assert (np.histogram(latencies, 4)[0] >= 4).all()
    found = design(table, networks)
    shares = found.counts * found.prior_us / latencies[:, None]
    heaviest_us = (design(table, pool).counts * found.prior_us).max(0)
    of_weight = heaviest_us > 0.02 * latencies.max()
    assert of_weight.sum() > 20
    assert ((shares[:, of_weight] > 0).sum(0) >= 2).all()


def test_a_calibrated_table_is_written_and_read_again(table, tmp_path):
    networks = draw_pool(SPACE, 0, 12)
    calibrated = calibrate(table, networks, 1.3 * predictions(table, networks))
    calibrated.save(tmp_path / "table.json")
    read = LatencyTable.load(tmp_path / "table.json")
    assert read == calibrated
    np.testing.assert_allclose(
        predictions(read, networks), 1.3 * predictions(table, networks), rtol=0.02
    )
    assert read.table_id != table.table_id
    again = calibrate(read, networks, predictions(table, networks))
    assert again.calibration.scale == pytest.approx(1.0)
