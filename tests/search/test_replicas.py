"""One step on 2 replicas equals one step on 1 with the same global batch."""

import os
import pathlib
import pickle
import subprocess
import sys

import numpy as np
import pytest

SCRIPT = pathlib.Path(__file__).with_name("replica_steps.py")


@pytest.fixture(scope="module")
def states(make_options, make_table, make_batch, tmp_path_factory):
    """By the count of replicas the states before, after one and after two steps."""
    options = make_options()
    table = make_table(options.skeleton(5), options.input_size)
    folder = tmp_path_factory.mktemp("replicas")
    (folder / "input").write_bytes(pickle.dumps((options, 5, table, make_batch(4))))
    command = [sys.executable, SCRIPT, folder / "input", folder / "output"]
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": "-1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return pickle.loads((folder / "output").read_bytes())


def floats(state, part):
    return {
        path: value.astype("float64")
        for path, value in state["variables"].items()
        if part in path and np.issubdtype(value.dtype, np.floating)
    }


def largest_difference(one, two):
    assert set(one) == set(two)
    differences = {path: np.abs(one[path] - two[path]).max() for path in one}
    return max(differences.items(), key=lambda item: item[1])


def test_normalisation_is_synchronised_where_there_are_replicas(states):
    assert [states[n][0]["synchronized"] for n in (1, 2)] == [False, True]


def test_both_begin_alike(states):
    path, difference = largest_difference(*(floats(states[n][0], "") for n in (1, 2)))
    assert difference == 0, path


@pytest.mark.parametrize("replicas", [1, 2])
def test_both_optimisers_step_once_per_step(states, replicas):
    counts = [state["iterations"] for state in states[replicas]]
    assert counts == [[0, 0, 0], [1, 1, 1], [2, 2, 2]]


@pytest.mark.parametrize(
    "part, tolerance",
    [
        ("network", 1e-5),
        ("architecture/alpha", 1e-5),
        ("moving_", 1e-5),
        # Adam divides by gradients here that are close to rounding.
        ("ggm", 5e-5),
    ],
)
def test_a_step_gives_the_same_variables(states, part, tolerance):
    """Weights, α, the statistics of the normalisation, guidance."""
    before, one, two = (
        floats(state, part) for state in (states[1][0], states[1][1], states[2][1])
    )
    assert largest_difference(before, one)[1] > 1e-4  # the step did something
    path, difference = largest_difference(one, two)
    assert difference < tolerance, path


def test_a_step_has_the_same_gradients(states):
    """The optimisers' slots: Adam's step alone would hide a wrong factor."""
    one, two = (states[n][1]["slots"] for n in (1, 2))
    for a, b in zip(one, two, strict=True):
        np.testing.assert_allclose(b, a, atol=0.01 * np.abs(a).max())


def test_a_step_logs_the_same_figures(states):
    one, two = (states[n][1]["logs"] for n in (1, 2))
    assert set(one) == set(two) == {"loss", "miou", "expected_latency_ms"}
    for name in one:
        assert two[name] == pytest.approx(one[name], abs=1e-5), name


def test_noise_goes_on_alike(states):
    one, two = (
        {p: v for p, v in states[n][2]["variables"].items() if "gumbel" in p}
        for n in (1, 2)
    )
    assert one
    for path in one:
        np.testing.assert_array_equal(one[path], two[path])
    latencies = [states[n][2]["logs"]["expected_latency_ms"] for n in (1, 2)]
    assert latencies[0] == pytest.approx(latencies[1], abs=1e-4)
    assert abs(latencies[0] - states[1][1]["logs"]["expected_latency_ms"]) > 1e-3
