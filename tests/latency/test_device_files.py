"""The files that go to devices as they are."""

import ast
import json
import pathlib
import sys

import pytest

from lgcnet_tf.runtimes.device import machine, sessions, time_models, timing

MODULES = (time_models, timing, sessions, machine)
BESIDE = {"machine", "sessions", "timing"}
PACKAGES = {"numpy", "onnxruntime", "openvino", "ai_edge_litert"}


@pytest.mark.parametrize("module", MODULES)
def test_they_need_nothing_of_this_package(module):
    source = pathlib.Path(module.__file__).read_text()
    tree = ast.parse(source, feature_version=(3, 9))
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level
            names.add(node.module.partition(".")[0])
    assert not names - set(sys.stdlib_module_names) - PACKAGES - BESIDE
    # Annotations such as `int | None` must not be evaluated by Python 3.9.
    assert "__future__" in names or " | None" not in source


def test_a_board_has_a_name_where_its_processor_has_none(tmp_path):
    cpuinfo, board = tmp_path / "cpuinfo", tmp_path / "model"
    cpuinfo.write_text("processor\t: 0\nBogoMIPS\t: 108.00\n")
    board.write_text("Raspberry Pi 4 Model B Rev 1.4\0")
    words = machine.cpu_description(str(cpuinfo), str(board))
    assert words == f"Raspberry Pi 4 Model B Rev 1.4, {machine.available_cpus()} CPUs"
    cpuinfo.write_text("processor\t: 0\nmodel name\t: Some Xeon @ 2 GHz\n")
    assert machine.cpu_description(str(cpuinfo), str(board)).startswith("Some Xeon @ 2")
    absent = str(tmp_path / "absent")
    assert machine.cpu_description(absent, absent).endswith(" CPUs")


def test_chained_turns_take_off_what_a_call_costs(monkeypatch):
    """A call costs 70 µs, the operation 30: as read from a clock that stands else."""
    now = [0]

    def run():
        now[0] += 100_000

    monkeypatch.setattr(timing.time, "perf_counter_ns", lambda: now[0])
    overhead_us = 70.0
    turns = timing.ChainedTurns(
        {"one": timing.repeated(run)}, 1, overhead_us=overhead_us
    )
    assert turns.round() == {"one": pytest.approx(30.0)}
    assert timing.empty_call_us(run) == 100.0


FACTS = {"runtime": "onnxruntime", "threads": 2, "device": "a board"}


def test_samples_go_on_where_they_stopped(tmp_path):
    path = tmp_path / "samples.json"
    kept = time_models.Samples(str(path), FACTS)
    assert kept.read() == ""
    kept.add("operations", {"conv": 10.0004, "pool": 2.0})
    kept.reference.append(3.0)
    kept.save()
    again = time_models.Samples(str(path), FACTS)
    assert again.read() == ""
    assert again.operations == {"conv": [10.0], "pool": [2.0]}
    assert again.reference == [3.0] and again.rounds("operations", ["conv", "new"]) == 0
    assert [p.name for p in tmp_path.iterdir()] == ["samples.json"]
    assert json.loads(path.read_text())["facts"].keys() == {*FACTS, "date"}


def test_samples_of_another_device_are_not_mixed_in(tmp_path):
    path = tmp_path / "samples.json"
    time_models.Samples(str(path), FACTS).save()
    reason = time_models.Samples(str(path), FACTS | {"threads": 4}).read()
    assert "begun with threads 2, now it is 4; remove the file" in reason
    path.write_text('{"facts"')
    assert "cannot be read" in time_models.Samples(str(path), FACTS).read()
    for wrong in (
        "[]",
        '{"facts": [], "operations": 1, "networks": {}, "reference": []}',
    ):
        path.write_text(wrong)
        assert "cannot be read" in time_models.Samples(str(path), FACTS).read()


PLAN = {
    "runtime": "onnxruntime",
    "precision": "float32",
    "facts": ["runtime", "precision"],
    "threads": 0,
    "repeats": 3,
    "network_repeats": 2,
    "warmup": 1,
    "together": 4,
    "empty": "models/empty.onnx",
    "reference": "models/empty.onnx",
    "operations": {"conv": "models/operation_0.onnx"},
    "networks": {},
}


@pytest.mark.parametrize(
    "change, said",
    [
        ({"repeats": None}, "'repeats' must be a whole number of at least 1"),
        ({"warmup": True}, "'warmup' must be a whole number of at least 0"),
        ({"together": 0}, "'together' must be a whole number of at least 1"),
        ({"operations": ["a"]}, "'operations' must be files of models by name"),
        ({"facts": ["runtime", "size"]}, "'size' is missing, which 'facts' names"),
        ({"networks": ...}, "'networks' is missing"),
    ],
)
def test_a_plan_that_was_edited(tmp_path, change, said):
    plan = {k: v for k, v in (PLAN | change).items() if v is not ...}
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(plan))
    assert time_models.read_plan(str(tmp_path))[1].startswith(f"plan.json: {said}")
    for wrong in (b"[1]", b"\xff", b"[" * 10**5):
        path.write_bytes(wrong)
        reason = time_models.read_plan(str(tmp_path))[1]
        assert reason.startswith("plan.json: ") and "\n" not in reason


@pytest.mark.parametrize(
    "change, said",
    [({"runtime": "no"}, "'runtime' must"), ({"threads": 9999}, "'threa")],
)
def test_a_plan_of_what_cannot_run_here(tmp_path, monkeypatch, change, said):
    for module in (machine, sessions):  # as if they lay beside it
        name = module.__name__.rpartition(".")[2]
        monkeypatch.setitem(sys.modules, name, module)
    plan = PLAN | change | {"operations": {}}
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    (tmp_path / "models").mkdir()
    (tmp_path / "models/empty.onnx").write_bytes(b"")
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(time_models, "__file__", str(tmp_path / "time_models.py"))
    assert time_models.main([]).startswith(f"plan.json: {said}")


def test_a_folder_that_was_not_copied_whole(tmp_path):
    assert time_models.read_plan(str(tmp_path))[1].startswith("plan.json: cannot be")
    (tmp_path / "plan.json").write_text(json.dumps(PLAN))
    (tmp_path / "models").mkdir()
    (tmp_path / "models/empty.onnx").write_bytes(b"")
    _, reason = time_models.read_plan(str(tmp_path))
    assert reason == "models/operation_0.onnx: is missing; copy the whole folder again."


def test_time_left(monkeypatch, capsys):
    now = [100.0]
    monkeypatch.setattr(time_models.time, "monotonic", lambda: now[0])
    say = time_models.Progress()
    for done in range(1, 6):
        say("timing", done, 5)
        now[0] += 60.0
    assert capsys.readouterr().out.splitlines() == [
        "timing: 1 of 5",
        "timing: 2 of 5, 3 min left of this",
        "timing: 3 of 5, 2 min left of this",
        "timing: 4 of 5, 60 s left of this",
        "timing: 5 of 5",
    ]
