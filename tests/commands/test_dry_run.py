"""`--dry_run`: what would be done, on how much, in how much memory and time."""

import dataclasses
import pathlib
import re
import subprocess
import sys

import pytest

pytest.importorskip("tensorflow")

from lgcnet_tf.bin.table import COMMANDS
from lgcnet_tf.commands import dry_run as command
from lgcnet_tf.commands import timed_steps
from lgcnet_tf.commands.dry_run import PLANS, dry_run
from lgcnet_tf.commands.finetune import FinetuneOptions
from lgcnet_tf.commands.measure_latency import MeasureOptions
from lgcnet_tf.commands.run import RunPathOptions
from lgcnet_tf.commands.sweep import SweepOptions
from lgcnet_tf.commands.timed_steps import TimedSteps, time_steps
from lgcnet_tf.errors import InputError
from lgcnet_tf.files import write_json

SPACE = {
    "initial_channels": 2, "num_cells": 2, "reduction_cells": (1,), "fusion": "none",
    "fusion_taps": (0, 1),
}  # fmt: skip
TIMED = TimedSteps(
    ("data: toy, split train: 64 images; val_miou on split val: 1,000 images; 8 classes",),
    start_s=10.0, step_s=2.0, whole_s=None, epochs=5, steps=16, batch_size=4,
    peak_bytes=3 * 10**9,
)  # fmt: skip


@pytest.fixture
def stub(monkeypatch):
    """Has no process run; the commands and flags that would have been tried."""
    asked = []

    def timed(name, flags):
        asked.append((name, list(flags)))
        return TIMED

    monkeypatch.setattr(command, "time_steps", timed)
    return asked


@pytest.fixture
def finetuning(tmp_path):
    return FinetuneOptions(
        model="lgcnet_camvid", dataset="toy_streets", input_size=(96, 160),
        crop_size=(96, 160), validate_every=2, epochs=5,
        output_dir=str(tmp_path / "out"),
    )  # fmt: skip


def test_the_long_commands_have_it():
    assert {each.name for each in COMMANDS if each.long} == set(PLANS)


def test_a_training_is_really_tried_and_nothing_is_written(tmp_path, small_genotype):
    """Nine short steps in a process of its own: it has none that is timed, or is done."""
    options = FinetuneOptions(
        model=str(small_genotype), dataset="toy_streets", input_size=(32, 64),
        crop_size=(32, 64), batch_size=64, epochs=1, validation_split="",
        output_dir=str(tmp_path / "out"),
    )  # fmt: skip
    lines = dry_run("finetune", options)
    assert not (tmp_path / "out").exists()
    text = "\n".join(lines)
    assert "would train for 1 epochs and write model.keras into" in text
    assert "data: toy_streets, split train: 128 images" in text
    assert re.search(r"^time: (about )?\d+ (s|min)", text, re.M)
    gigabytes = float(re.search(r"^memory: ([\d.]+) GB", text, re.M).group(1))
    assert 0.3 < gigabytes < 8
    assert lines[-1] == f"nothing was written to {tmp_path / 'out'}"


def test_what_the_command_refuses_is_refused(tmp_path, finetuning):
    with pytest.raises(InputError, match="^--model=absent"):
        time_steps("finetune", ["--model=absent", "--dataset=toy_streets"])
    write_json(tmp_path / "out" / "results.json", {})
    with pytest.raises(InputError, match="holds a finished run"):
        dry_run("finetune", finetuning)


def test_no_folder_is_needed(stub, finetuning, monkeypatch, capsys):
    lines = dry_run("finetune", dataclasses.replace(finetuning, output_dir=""))
    assert lines[0].endswith("write model.keras into --output_dir")
    assert lines[-1] == "nothing was written"
    with pytest.raises(InputError, match="^--data_dir is missing"):
        dry_run("run", RunPathOptions())


@pytest.mark.parametrize(
    "ends, said",
    [
        ("os.kill(os.getpid(), 9)", "out of memory when it had .* GB, .*smaller crops"),
        ("raise MemoryError", "out of memory"),
        ("os._exit(7)", "search ended with status 7 before a step was timed: a word"),
    ],
)
def test_a_process_that_ends_too_early_is_told_from_one_that_is_slow(
    monkeypatch, ends, said
):
    code = f"import os, sys, time; print('a word', file=sys.stderr, flush=True); time.sleep(0.3); {ends}"
    program = [sys.executable, "-S", "-c", code]  # looks at no flag
    monkeypatch.setattr(timed_steps, "stage_command", lambda stage: program)
    with pytest.raises(InputError, match=said):
        time_steps("search", [])


def test_not_on_several_machines(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", "{}")
    with pytest.raises(InputError, match="Unset TF_CONFIG"):
        time_steps("search", [])


def test_time_of_steps_and_validations(stub, finetuning):
    lines = dry_run("finetune", finetuning)
    # 3 validations of 1000 images, each a third of a quarter of a step.
    assert "time: about 12 min: 10 s to begin, 80 steps of 2 s and 9 min of" in lines[2]
    assert "timed on this machine" in lines[2]
    assert lines[3].startswith("memory: 3.0 GB at most")
    assert stub[0][0] == "finetune" and "--epochs=5" in stub[0][1]


def test_a_run_that_has_begun_goes_on(stub, finetuning, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "flags.txt").write_text("")
    write_json(tmp_path / "out" / "history.json", [{}, {}])
    lines = dry_run("finetune", dataclasses.replace(finetuning, validate_every=100))
    assert "going on there after 2 epochs" in lines[0]
    assert "48 steps of 2 s" in lines[2]


def test_a_random_search_needs_no_trial(stub, make_options, tmp_path):
    options = make_options(
        search_strategy="random", dataset="toy_streets", latency_table="table.json",
        output_dir=str(tmp_path / "out"),
    )  # fmt: skip
    lines = dry_run("search", options)
    assert "would draw a random network" in lines[0] and not stub


def test_a_table_is_measured_in_part(tmp_path):
    options = MeasureOptions(
        **SPACE, input_size=(32, 64), repeats=3, calibration_networks=8,
        output_dir=str(tmp_path / "out"),
    )  # fmt: skip
    lines = dry_run("measure_latency", options)
    assert re.match(r"would measure \d+ operations 3 times and 8 networks", lines[0])
    assert re.match(r"time: about \d+ (s|min) \(\d+ ", lines[2])
    assert "and a network were timed on this machine" in lines[2]
    assert lines[3].startswith("memory: about ")
    assert not (tmp_path / "out").exists()


def test_a_whole_path_is_estimated_by_the_command():
    done = subprocess.run(
        [sys.executable, "-m", "lgcnet_tf", "run", "--dataset=toy_streets", "--dry_run",
         "--search_epochs=2"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    text = done.stdout
    assert "128 images to train on" in text and "search (2 epochs of 16 steps)" in text
    assert "by a measured product of matrices" in text and "memory: about " in text
    assert text.endswith("nothing was written\n")
    assert not pathlib.Path("--output_dir").exists()


def test_a_sweep_counts_its_trials(stub, tmp_path, small_skeleton, make_table):
    skeleton = small_skeleton(
        num_classes=8, num_cells=2, reduction_cells=(1,), fusion="none"
    )
    table = tmp_path / "table.json"
    make_table(skeleton, (32, 32)).save(table)
    for stage in ("search", "finetune"):
        (tmp_path / f"{stage}.txt").write_text("--dataset=toy_streets\n")
    options = SweepOptions(
        search_flags=str(tmp_path / "search.txt"),
        finetune_flags=str(tmp_path / "finetune.txt"), latency_table=str(table),
        vary="latency_weight=0.1,0.2", seeds=(0, 1, 2), parallel=2,
        output_dir=str(tmp_path / "out"),
    )  # fmt: skip
    lines = dry_run("sweep", options)
    assert lines[0].startswith("would run 6 trials") and "2 at a time" in lines[0]
    assert [name for name, _ in stub] == ["search", "finetune"]
    # Two trainings of 10 + 5 * 16 * 2 s, three times: 17 min.
    assert any(line.startswith("time: about 17 min") for line in lines)
    assert any(line.startswith("memory: 6.0 GB") for line in lines)
    assert not (tmp_path / "out").exists()


def test_steps_that_are_told_are_read():
    lines = ["data: x", "a step takes 0.25 s: about 2 min left"]
    assert timed_steps._step_of(lines) == 0.25 and timed_steps._step_of([]) is None
    assert TIMED.seconds() == 10 + 160 and TIMED.seconds(epochs_done=4) == 10 + 32


@pytest.mark.parametrize(
    "done, validations", [(0, 4), (5, 3), (9, 3), (10, 2), (15, 1)]
)
def test_a_resumed_run_has_the_validations_that_are_left(done, validations):
    said = ("left_out_miou on split val: 1,000 images",)
    timed = TimedSteps(said, 1.0, 2.0, None, 18, 7, 4, None)
    options = FinetuneOptions(
        input_size=(20, 40), crop_size=(10, 20), validate_every=5, epochs=18
    )
    each = command.FORWARD * 2.0 / (4 * 10 * 20) * 1000 * 20 * 40
    found = command._validation_s(timed, options, done)
    assert found == pytest.approx(validations * each)
