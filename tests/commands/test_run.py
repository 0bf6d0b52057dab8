"""`lgcnet-run`: a folder of three classes in, a network ready to serve out."""

import contextlib
import importlib
import io
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("tensorflow")

from lgcnet_tf.bin.table import command
from lgcnet_tf.commands import run, run_estimate
from lgcnet_tf.commands import stage as stages
from lgcnet_tf.commands.defaults import size_within
from lgcnet_tf.commands.run import RunPathOptions, run_path
from lgcnet_tf.config import format_size
from lgcnet_tf.errors import InputError
from lgcnet_tf.files import read_json
from lgcnet_tf.interruption import Interrupted
from lgcnet_tf.run_folder import flag_lines
from lgcnet_tf.space.skeleton import Skeleton

from ..data.folders import CLASSES, write_folder

EPOCHS = 30
"""So many that the training is stopped before its end."""


def here(last="", apart=()):
    """Runs stages in this process, up to one at which it is stopped.

    Those of `apart` are processes, as all are for users.
    """

    def run_stage(name, program, stage, folder):
        if name == last:
            raise Interrupted("stopped")
        if name in apart:
            stages.run_stage(name, program, stage, folder)
            return
        found = command(program)
        getattr(importlib.import_module(found.module), found.function)(stage)

    return run_stage


def start(options):
    """The command as a process."""
    return subprocess.Popen(
        [sys.executable, "-m", "lgcnet_tf", "run", *flag_lines(options)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def states(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """Options of a run that was stopped before and in its training, and its last line.

    What trains first is a process of a process, which are told to stop.
    """
    root = tmp_path_factory.mktemp("run")
    data = write_folder(root / "warehouse", "annot", (("train", 8),), (40, 52))
    options = RunPathOptions(
        data_dir=str(data), val_share=0.25, output_dir=str(root / "out"),
        num_cells=2, reduction_cells=(), fusion="none", initial_channels=2,
        cell_operations=("none", "skip_connect", "conv_3x3"),
        calibration_networks=0, repeats=2, search_epochs=1, finetune_epochs=EPOCHS,
        batch_size=6,
    )  # fmt: skip
    out = root / "out"
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Interrupted):
        patch.setattr(run, "run_stage", here("finetune"))
        run_path(options)
    searched = states(out / "search") | states(out / "latency")
    process = start(options)
    while not list((out / "finetune" / "checkpoints").glob("epoch_*.npz")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate()
    assert process.returncode == 0, said
    assert said.splitlines()[-1] == (
        "lgcnet run: stopped in the stage finetune; the same command goes on."
    )
    assert not (out / "finetune" / "results.json").exists()
    printed = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(printed):
        patch.setattr(run, "run_stage", here(apart=("export",)))
        run_path(options)
    assert searched.items() <= states(out).items()  # the report adds figures alone
    return options, out, printed.getvalue().splitlines()[-1]


def test_the_network_is_ready_to_serve(path):
    _, out, line = path
    assert "search: done before" in (out / "log.txt").read_text()
    results, evaluated = (
        read_json(out / name / "results.json") for name in ("", "evaluate")
    )
    for name in ("miou", "latency_ms", "predicted_latency_ms"):
        assert results[name] == evaluated[name]
    assert evaluated["num_images"] == 2 and tuple(results["per_class_iou"]) == CLASSES
    card = read_json(out / "export/saved_model/1/assets.extra/lgcnet.json")
    assert card["class_names"] == list(CLASSES)
    for part in (
        str(out / "finetune" / "model.keras"),
        f"mIoU {100 * results['miou']:.1f} %",
        f"{results['latency_ms']:.4g} ms measured",
        f"lgcnet-serve --model={out / 'export' / 'saved_model'}",
    ):
        assert part in line
    assert (out / "finetune" / "model.keras").is_file()
    assert "<h1>Run out</h1>" in (out / "report.html").read_text()


def test_stages_go_on_and_hand_on(path):
    _, out, *_ = path
    log = (out / "finetune" / "log.txt").read_text()
    assert "starts" in log and "resumes" in log
    history = read_json(out / "finetune" / "history.json")
    assert [entry["epoch"] for entry in history] == list(range(1, EPOCHS + 1))
    taken = read_json(out / "finetune" / "initial_weights.json")
    assert taken["layers_taken"] == taken["layers"]  # the search's: a warm start
    genotype = read_json(out / "search" / "genotype.json")
    assert genotype["provenance"]["input_size"] == [32, 48]
    target = genotype["provenance"]["target_latency_ms"]
    log = (out / "latency" / "log.txt").read_text()  # the stage's, in one process
    low, high = log.split("space take ")[1].split(" ms")[0].split(" to ")
    assert target == pytest.approx((float(low) + float(high)) / 2, rel=1e-2)


def test_again_does_nothing_new(path, capsys):
    options, out, line = path
    before = states(out)
    assert run_path(options) == read_json(out / "results.json")
    assert capsys.readouterr().out.splitlines() == [line]
    assert states(out) == before


def test_other_flags_are_another_run(path, tmp_path):
    options, *_ = path
    changed = vars(options) | {"search_epochs": 2}
    with pytest.raises(InputError, match="already holds a finished run"):
        run_path(RunPathOptions(**changed))
    changed = vars(options) | {"output_dir": str(tmp_path / "other")}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "run_stage", here("latency"))
        with pytest.raises(Interrupted):
            run_path(RunPathOptions(**changed))
        with pytest.raises(InputError, match="Different flags: .*--search_epochs=2"):
            run_path(RunPathOptions(**changed | {"search_epochs": 2}))


def test_a_target_out_of_reach(path, tmp_path):
    """It is told before the search reads any data."""
    options, out, *_ = path
    os.symlink(out / "latency", tmp_path / "latency")
    changed = {"output_dir": str(tmp_path), "target_latency_ms": 1e6}
    with pytest.raises(InputError, match="is out of reach: .* Give another one, or"):
        run_path(RunPathOptions(**vars(options) | changed))
    assert not (tmp_path / "search").exists()


def test_a_table_from_elsewhere_and_other_files(path, tmp_path, monkeypatch):
    """No table is measured, and size and space are the given table's."""
    options, out, *_ = path
    stages = {}

    def run_stage(name, program, stage, folder):
        stages[name] = stage
        if name == "export_onnx":
            raise Interrupted("all that is asked here")

    monkeypatch.setattr(run, "run_stage", run_stage)
    table = str(out / "latency" / "latency_table.json")
    given = RunPathOptions(
        data_dir=options.data_dir, val_share=0.25, output_dir=str(tmp_path / "out"),
        latency_table=table, formats=("litert", "onnx"), candidates=3,
    )  # fmt: skip
    with pytest.raises(Interrupted):
        run_path(given)
    assert list(stages) == [
        "search", "choose", "finetune", "evaluate", "export", "export_litert",
        "export_onnx",
    ]  # fmt: skip
    assert stages["search"].latency_table == stages["evaluate"].latency_table == table
    assert (stages["search"].num_cells, stages["search"].input_size) == (2, (32, 48))
    out = tmp_path / "out"
    for name in ("choose", "finetune"):
        assert stages[name].hardest == 1.0
        assert stages[name].initial_model == str(out / "search")
    assert stages["choose"].candidates == 3 and stages["choose"].epochs == 4
    assert stages["finetune"].model == str(out / "choose" / "genotype.json")
    assert stages["export_onnx"].format == "onnx"
    log = (tmp_path / "out" / "log.txt").read_text()
    assert f"no latency table but {table}" in log
    assert "choose (3 networks, each 4 epochs), finetune" in log
    assert "INFO time: about " in log and "search " in log and "latency " not in log.split("INFO time: about ")[1]  # fmt: skip
    with pytest.raises(InputError, match="--candidates must be 0 or at least 2"):
        RunPathOptions(candidates=1).check()
    with pytest.raises(InputError, match="--formats must be of onnx, .*'pdf'"):
        RunPathOptions(formats=("pdf",)).check()


def test_estimates_grow_with_the_work():
    small, large = Skeleton(8, initial_channels=4), Skeleton(8, initial_channels=16)
    times = [
        run_estimate.training_s(stage, images, (96, 160), skeleton, 1e10)
        for stage, images, skeleton in (
            ("finetune", 1000, small), ("finetune", 1000, large),
            ("search", 1000, large), ("search", 4000, large),
        )
    ]  # fmt: skip
    assert times == sorted(times) and times[3] > 3 * times[2]
    # The step of 256x256 and batch 2 that benchmarks/README.md has: 1.48 s at 68 GMAC/s.
    step = run_estimate.training_s("search", 2, (256, 256), Skeleton(8), 68e9)
    assert step - run_estimate.BUILDING_S["search"] == pytest.approx(1.48, rel=0.2)
    assert 1e7 < run_estimate.matrix_speed(256, 1) < 1e14


def test_what_is_wrong_is_told_first(path, tmp_path, monkeypatch):
    options, *_ = path
    out = {"output_dir": str(tmp_path / "out")}
    with pytest.raises(InputError, match="--data_dir is missing"):
        run_path(RunPathOptions(**out))
    with pytest.raises(InputError, match="no split val: --val_share=0.2 makes one"):
        run_path(RunPathOptions(data_dir=options.data_dir, **out))
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    with pytest.raises(InputError, match="KERAS_BACKEND=tensorflow"):
        run_path(RunPathOptions(dataset="toy_streets", **out))
    assert not (tmp_path / "out").exists()


def test_what_a_late_stage_would_find_leaves_no_folder(tmp_path):
    data = write_folder(tmp_path / "data", "images", (("train", 2), ("val", 2)))
    options = {"data_dir": str(data), "output_dir": str(tmp_path / "out")}
    with pytest.raises(InputError, match="reduction_cells must be .*num_cells=2"):
        run_path(RunPathOptions(num_cells=2, **options))
    bad = data / "masks" / "val" / "b_001.png"
    Image.fromarray(np.full((24, 32), 7, np.uint8)).save(bad)
    with pytest.raises(InputError, match="b_001.png: value 7 of no class"):
        run_path(RunPathOptions(**options))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "size, most, expected",
    [
        ((480, 640), 512 * 1024, (480, 640)),
        ((40, 52), 512 * 1024, (32, 48)),
        ((10, 200), 512 * 1024, (32, 192)),
        ((1024, 2048), 512 * 1024, (512, 1024)),
        ((1080, 1920), 512 * 1024, (528, 960)),
        ((720, 1280), 360 * 480, (304, 544)),
    ],
)
def test_size_within(size, most, expected):
    assert format_size(size_within(size, most)) == format_size(expected)
