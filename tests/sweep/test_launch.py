"""Trials side by side on one machine."""

import threading

import pytest

from lgcnet_tf.sweep import launch
from lgcnet_tf.sweep.launch import Resources, run_here
from lgcnet_tf.sweep.trial import STOPPED


@pytest.mark.parametrize(
    "cpus, gpus, parallel, trials",
    [(2, 0, 0, 1), (16, 0, 0, 4), (16, 0, 3, 3), (4, 2, 0, 2), (16, 2, 5, 5)],
)
def test_as_many_as_there_is_room(cpus, gpus, parallel, trials):
    assert Resources(cpus, tuple("01"[:gpus])).trials(parallel) == trials


def test_shares_of_cpus():
    names = {"TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"}
    assert Resources(8, ()).environment(1, 2) == dict.fromkeys(names, "4")
    assert set(Resources(2, ()).environment(0, 5).values()) == {"1"}


def test_a_gpu_for_each():
    room = Resources(8, ("0", "GPU-7f"))
    one, two, three = (room.environment(slot, 2) for slot in range(3))
    assert [e["CUDA_VISIBLE_DEVICES"] for e in (one, two, three)] == [
        "0",
        "GPU-7f",
        "0",
    ]
    assert "TF_FORCE_GPU_ALLOW_GROWTH" not in one
    assert room.environment(0, 3)["TF_FORCE_GPU_ALLOW_GROWTH"] == "true"


def test_heeds_the_gpus_that_the_user_left_visible(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    assert launch.available_resources().gpus == ("3", "5")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert launch.available_resources().gpus == ()
    assert launch.available_resources().cpus >= 1


def test_a_failure_leaves_the_others_alone(make_trial, monkeypatch, calls):
    monkeypatch.setattr(launch, "available_resources", lambda: Resources(4, ()))
    trials = [make_trial("fail"), make_trial("none"), make_trial("none", 1)]
    lines = []
    outcomes = run_here(trials, 2, lambda: False, lines.append)
    assert outcomes == {"fail-0": "search: what went wrong", "none-0": "", "none-1": ""}
    assert "fail-0: search: what went wrong" in lines and "none-1: done" in lines
    (call,) = calls(trials[1], "finetune")
    assert call["environment"]["TF_NUM_INTRAOP_THREADS"] == "2"


def test_stops_all_of_them(make_trial):
    trials = [make_trial("wait", seed) for seed in range(3)]
    stopping = threading.Event()

    def report(line):
        if line == "wait-1: search":
            stopping.set()

    outcomes = run_here(trials, 2, stopping.is_set, report)
    assert outcomes == {trial.name: STOPPED for trial in trials}
    assert not (trials[2] / "search").exists()


def test_an_exception_ends_the_trials_too(make_trial):
    def report(line):
        if line.endswith("done"):
            raise KeyboardInterrupt

    trials = [make_trial("none"), make_trial("wait")]
    with pytest.raises(KeyboardInterrupt):
        run_here(trials, 2, lambda: False, report)
    assert not trials[1].finished("search")
