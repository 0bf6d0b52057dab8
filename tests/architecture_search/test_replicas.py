"""One step on N replicas equals one step on 1 with the same global batch."""

import os
import pathlib
import pickle
import subprocess
import sys

import numpy as np
import pytest

SCRIPT = pathlib.Path(__file__).with_name("replica_steps.py")
CASES = {2: (0.0, "soft"), 4: (0.1, "per_image")}
"""By the count of replicas the limit of the gradients' norm, and the sampling."""


@pytest.fixture(scope="module")
def results(make_options, make_table, make_batch, tmp_path_factory):
    """By count of replicas what `replica_steps.py` found on one and on so many."""
    found = {}
    for replicas, (clip_norm, sampling) in CASES.items():
        options = make_options(
            num_cells=1,
            reduction_cells=(),
            communication="none",
            clip_norm=clip_norm,
            sampling=sampling,
            cell_operations=("skip_connect", "conv_3x3"),
        )
        table = make_table(options.skeleton(5), options.input_size)
        folder = tmp_path_factory.mktemp("replicas")
        source, target = folder / "input", folder / "output"
        source.write_bytes(pickle.dumps((options, 5, table, make_batch(4))))
        command = [sys.executable, SCRIPT, str(replicas), source, target]
        environment = os.environ | {"CUDA_VISIBLE_DEVICES": "-1"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-3000:]
        found[replicas] = pickle.loads(target.read_bytes())
    return found


@pytest.fixture(params=CASES)
def replicas(request):
    """How many there are."""
    return request.param


@pytest.fixture
def states(results, replicas):
    """On one device and on the replicas: before, after one and after two steps."""
    return results[replicas][1], results[replicas][replicas]


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
    assert [each[0]["synchronized"] for each in states] == [False, True]


def test_both_begin_alike(states):
    one, several = (floats(each[0], "") for each in states)
    path, difference = largest_difference(one, several)
    assert difference == 0, path


def test_the_optimisers_step_once_per_step(states):
    for each in states:
        for done, state in enumerate(each):
            assert set(state["iterations"]) == {done}


@pytest.mark.parametrize(
    "part", ["network", "architecture/alpha", "architecture/latest", "moving_"]
)
def test_a_step_gives_the_same_variables(states, part):
    """Weights, α, what a latency target sees of it, the normalisation's statistics."""
    before, one, several = (
        floats(state, part) for state in (states[0][0], states[0][1], states[1][1])
    )
    assert largest_difference(before, one)[1] > 1e-4  # the step did something
    path, difference = largest_difference(one, several)
    assert difference < 1e-5, path


def test_a_step_has_the_same_gradients(states):
    """The optimisers' slots: Adam's step alone would hide a wrong factor."""
    one, several = (each[1]["slots"] for each in states)
    for a, b in zip(one, several, strict=True):
        np.testing.assert_allclose(b, a, atol=0.01 * np.abs(a).max())


def test_clipping_shortens_the_step(results):
    """The case with a limit has one that matters: in the stem α has no part."""

    def moved(replicas):
        before, after = (floats(s, "stem") for s in results[replicas][1][:2])
        kernels = {path for path in before if "kernel" in path}
        return max(np.abs(after[p] - before[p]).max() for p in kernels)

    assert moved(4) < 0.5 * moved(2)


def test_a_step_logs_the_same_figures(states):
    one, several = (each[1]["logs"] for each in states)
    assert set(one) == set(several) >= {"loss", "miou", "expected_latency_ms"}
    for name in one:
        assert several[name] == pytest.approx(one[name], abs=1e-5), name


def test_noise_goes_on_alike(states):
    one, several = (
        {p: v for p, v in each[2]["variables"].items() if "gumbel" in p}
        for each in states
    )
    assert one
    for path in one:
        np.testing.assert_array_equal(one[path], several[path])
    latencies = [each[2]["logs"]["expected_latency_ms"] for each in states]
    assert latencies[0] == pytest.approx(latencies[1], abs=1e-4)
    assert abs(latencies[0] - states[0][1]["logs"]["expected_latency_ms"]) > 1e-3


def clipped(gradients, clip_norm):
    norm = np.sqrt(np.square(gradients, dtype="float64").sum())
    return gradients * (min(1.0, clip_norm / norm) if clip_norm else 1.0)


@pytest.mark.parametrize("clip_norm", [0.0, 1.0])
def test_the_sum_over_replicas_is_clipped_and_then_decays(results, replicas, clip_norm):
    for count in (1, replicas):
        made = results[replicas]["optimizers"]["SGD", count, clip_norm]
        variables, gradients = made
        expected = 1.0 - 0.1 * (clipped(gradients, clip_norm) + 0.5)
        np.testing.assert_allclose(variables, expected, atol=1e-6)


@pytest.mark.parametrize("clip_norm", [0.0, 1.0])
def test_adam_steps_alike_on_replicas(results, replicas, clip_norm):
    one, several = (
        results[replicas]["optimizers"]["Adam", count, clip_norm][0]
        for count in (1, replicas)
    )
    np.testing.assert_allclose(several, one, atol=1e-6)
