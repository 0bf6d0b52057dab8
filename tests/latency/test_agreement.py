import numpy as np
import pytest

from lgcnet_tf.latency.agreement import agreement


def test_perfect():
    found = agreement([1.0, 2.0, 3.0], [1.0, 2.0, 3.0])
    assert found["spearman"] == found["pearson"] == 1.0
    assert found["median_abs_error"] == found["p90_abs_error"] == found["bias"] == 0.0


def test_errors_are_relative_to_what_was_measured():
    found = agreement([11.0, 18.0, 33.0], [10.0, 20.0, 30.0])
    assert found["median_abs_error"] == pytest.approx(0.1)
    assert found["bias"] == pytest.approx(0.1)


def test_spearman_looks_at_the_order_alone():
    x = np.array([3.0, 1.0, 2.0, 5.0])
    assert agreement(np.exp(x), x)["spearman"] == 1.0
    assert agreement(np.exp(x), x)["pearson"] < 1.0
    assert agreement(-x + 9.0, x)["spearman"] == -1.0


def test_ties_share_their_place():
    # Ranks 1.5, 1.5, 3 and 1, 2, 3: correlation of those.
    found = agreement([1.0, 1.0, 2.0], [1.0, 2.0, 3.0])["spearman"]
    assert found == pytest.approx(np.corrcoef([1.5, 1.5, 3], [1, 2, 3])[0, 1], abs=1e-4)


def test_a_constant_correlates_with_nothing():
    assert agreement([1.0, 1.0], [1.0, 2.0])["spearman"] == 0.0
