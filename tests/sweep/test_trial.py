"""One trial: its stages, its flags, what stops it."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from lgcnet_tf.sweep import trial as trial_module
from lgcnet_tf.sweep.trial import STAGES, STOPPED, run_trial


def wait_for(path, seconds=20.0):
    end = time.monotonic() + seconds
    while not (path.exists() and path.read_text()):
        assert time.monotonic() < end, f"{path} does not come"
        time.sleep(0.02)


def running(pid):
    """Whether the process lives, and not only as what its parent has to bury."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_runs_the_stages_in_order(make_trial, calls):
    trial, lines = make_trial("ggm", 1), []
    assert run_trial(trial, report=lines.append) == ""
    assert lines == [f"ggm-1: {stage}" for stage in STAGES]
    assert trial.finished() and trial.results("evaluate")["miou"] == 0.375
    (search,), (finetune,), (evaluate,) = (calls(trial, stage) for stage in STAGES)
    assert search["flags"] == [
        "--flagfile=s.txt",
        "--communication=ggm",
        "--seed=1",
        "--output_dir=trials/ggm-1/search",
    ]
    assert finetune["flags"] == [
        "--flagfile=f.txt",
        "--lr=0.5",
        "--seed=1",
        "--model=trials/ggm-1/search/genotype.json",
        "--output_dir=trials/ggm-1/finetune",
    ]
    assert evaluate["flags"] == [  # without a flagfile: the finetuning's data
        "--dataset=camvid",
        "--model=trials/ggm-1/finetune/model.keras",
        "--output_dir=trials/ggm-1/evaluate",
    ]


def test_evaluates_with_its_own_flagfile(make_trial):
    flagfiles = {"search": "s.txt", "finetune": "f.txt", "evaluate": "e.txt"}
    trial = make_trial(flagfiles=flagfiles)
    assert trial.flags("evaluate")[0] == "--flagfile=e.txt"
    assert len(trial.flags("evaluate")) == 3


def test_flags_of_every_trial_win_over_the_flagfile(make_trial):
    trial = make_trial(given={"search": ("--data_dir=d", "--latency_table=t")})
    assert trial.flags("search")[:3] == [
        "--flagfile=s.txt",
        "--data_dir=d",
        "--latency_table=t",
    ]


def test_skips_what_is_finished(make_trial, calls):
    trial = make_trial()
    run_trial(trial)
    (trial / "evaluate" / "results.json").unlink()
    lines = []
    assert run_trial(trial, report=lines.append) == ""
    assert lines == ["none-0: evaluate"]
    assert [len(calls(trial, stage)) for stage in STAGES] == [1, 1, 2]


def test_a_failure_is_its_last_line(make_trial, calls):
    trial = make_trial("fail")
    assert run_trial(trial) == "search: what went wrong"
    assert not calls(trial, "finetune")
    assert "a first line" in (trial / "search.err").read_text()


def stop_when_it_runs(trial):
    """Runs the trial and stops it once its search does; the outcome."""
    stopping, outcome = threading.Event(), []
    thread = threading.Thread(
        target=lambda: outcome.append(run_trial(trial, stopping=stopping.is_set))
    )
    thread.start()
    wait_for(trial / "search" / "pid")
    stopping.set()
    thread.join(300)
    assert not running(int((trial / "search" / "pid").read_text()))
    return outcome[0]


def test_stopping_sends_sigterm_and_waits(make_trial):
    trial = make_trial("wait")
    assert stop_when_it_runs(trial) == STOPPED
    assert (trial / "search" / "saved").exists()


def test_what_does_not_heed_sigterm_is_killed(make_trial, monkeypatch):
    monkeypatch.setattr(trial_module, "GRACE_S", 0.3)
    assert stop_when_it_runs(make_trial("deaf")) == STOPPED


def test_nothing_starts_once_it_stops(make_trial, calls):
    trial = make_trial()
    assert run_trial(trial, stopping=lambda: True) == STOPPED
    assert not calls(trial, "search")


def test_a_stage_that_left_early_is_no_success(make_trial):
    trial = make_trial("wait")
    outcome = []
    thread = threading.Thread(target=lambda: outcome.append(run_trial(trial)))
    thread.start()
    wait_for(trial / "search" / "pid")
    os.kill(int((trial / "search" / "pid").read_text()), signal.SIGTERM)
    thread.join(30)
    assert "the same command goes on" in outcome[0]


def test_waits_for_another_process_on_the_same_trial(make_trial, calls):
    trial, stopping, outcomes = make_trial("wait"), threading.Event(), []

    def run():
        outcomes.append(run_trial(trial, stopping=stopping.is_set))

    threads = [threading.Thread(target=run) for _ in range(2)]
    threads[0].start()
    wait_for(trial / "search" / "pid")
    threads[1].start()
    time.sleep(0.5)
    assert len(calls(trial, "search")) == 1
    stopping.set()
    for thread in threads:
        thread.join(30)
    assert outcomes == [STOPPED] * 2


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for it")
def test_a_stage_does_not_outlive_a_killed_sweep(tmp_path):
    child = (
        "import os, sys, time; from lgcnet_tf.sweep.child import end_with_parent; "
        "end_with_parent(int(sys.argv[1])); "
        f"open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    )
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import os, subprocess, sys; subprocess.run([sys.executable, '-c', "
            "sys.argv[1], str(os.getpid())], start_new_session=True)",
            child,
        ]
    )
    wait_for(tmp_path / "pid")
    pid = int((tmp_path / "pid").read_text())
    assert running(pid)
    parent.kill()
    parent.wait()
    end = time.monotonic() + 300
    while running(pid):
        assert time.monotonic() < end, "an orphan"
        time.sleep(0.05)


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for it")
def test_a_stage_whose_sweep_is_gone_does_not_start():
    line = "from lgcnet_tf.sweep.child import end_with_parent; end_with_parent(1 << 22)"
    assert subprocess.run([sys.executable, "-c", line]).returncode == 1
